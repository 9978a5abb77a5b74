//! The race in virtual time.
use super::*;
#[test]
fn smoke() {
    let t0 = Instant::now();
    let mut race = Race::new(&Config::default(), t0);
    let a: SocketAddr = "192.0.2.1:1".parse().unwrap();
    race.handle_address(a, Some(Source::new(a.ip())), t0);
    assert_eq!(race.poll_output(), None);
    assert_eq!(race.poll_timeout(), Some(t0 + Duration::from_millis(50)));
    race.handle_end(t0);
    assert_eq!(race.poll_output(), Some(Output::Start { id: AttemptId(0), addr: a }));
    assert_eq!(race.poll_timeout(), None);
    race.handle_failed(AttemptId(0), t0);
    assert_eq!(race.poll_output(), Some(Output::Lost));
    assert_eq!(race.poll_output(), None);
}
