//! Races of attempts that are not TCP.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::stream;
use tokio::time::sleep;

use super::*;
use crate::happy_eyeballs::{AttemptOutcome, ConnectErrorKind, RaceOptions};
use crate::observer::{ConnectEvent, ConnectEventKind, Observer};
use crate::resolve::AddressPolicy;

const MS: Duration = Duration::from_millis(1);

fn results(hosts: &[u8]) -> impl Stream<Item = LookupResult> + use<> {
    let addresses = hosts.iter().map(|&host| LookupResult::Address(addr(host)));
    stream::iter(addresses.chain([LookupResult::End(Ok(()))]).collect::<Vec<_>>())
}

fn addr(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 443).into()
}

/// An error of a caller, with no word of the operating system in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("alert {0}")]
struct Alert(u8);

#[tokio::test(start_paused = true)]
async fn the_first_attempt_that_is_ready_wins_and_the_others_are_dropped_before() {
    struct Guard(Rc<Cell<u32>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let alive = Rc::new(Cell::new(0));
    let options = ConnectOptions::default();
    let won = race(results(&[1, 2]), &options, |endpoint, _| {
        alive.set(alive.get() + 1);
        let guard = Guard(Rc::clone(&alive));
        async move {
            let is_silent = endpoint.addr == addr(1);
            sleep(if is_silent { Duration::MAX } else { 10 * MS }).await;
            drop(guard);
            Ok::<_, io::Error>("greeting")
        }
    });
    let (value, info) = won.await.unwrap();
    assert_eq!((value, info.addr(), info.connected_after()), ("greeting", addr(2), 260 * MS));
    assert!(matches!(info.attempts()[0].outcome, AttemptOutcome::Canceled));
    assert_eq!(alive.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn errors_are_kept_in_the_type_of_the_caller_in_order_of_start() {
    let attempt = |endpoint: Endpoint, progress: Progress| async move {
        let SocketAddr::V4(addr) = endpoint.addr else { unreachable!() };
        let last = addr.ip().octets()[3];
        if last == 2 {
            progress.transport_up();
        }
        Err::<(), _>(Alert(last))
    };
    let error = race(results(&[1, 2, 3]), &ConnectOptions::default(), attempt).await.unwrap_err();
    let told: Vec<_> = error.attempts().iter().map(|attempt| &attempt.outcome).collect();
    assert_eq!(
        told,
        [1, 2, 3].map(|n| AttemptOutcome::Failed(Alert(n))).iter().collect::<Vec<_>>()
    );
    assert_eq!(error.kind(), ConnectErrorKind::Attempt);
    // The only peer that was reached is the one to quote.
    assert_eq!(error.to_string(), "connect failed, 192.0.2.2:443 (3 attempts in 0 ms)");
    assert_eq!(error.source().unwrap().to_string(), "alert 2");
    let error = io::Error::from(error);
    assert_eq!(error.kind(), io::ErrorKind::Other);
}

#[tokio::test(start_paused = true)]
async fn an_io_error_within_decides_the_kind() {
    #[derive(Debug, thiserror::Error)]
    #[error("handshake failed")]
    struct Handshake(#[source] io::Error);
    let refused = |_, _| async { Err::<(), _>(Handshake(io::ErrorKind::ConnectionRefused.into())) };
    let error = race(results(&[1]), &ConnectOptions::default(), refused).await.unwrap_err();
    assert!(error.is_refused(), "{error:?}");
    // Out of descriptors, the list is not burnt in an instant.
    let exhausted =
        |_, _| async { Err::<(), _>(io::Error::from_raw_os_error(crate::os::OUT_OF_DESCRIPTORS)) };
    let error = race(results(&[1, 2]), &ConnectOptions::default(), exhausted).await.unwrap_err();
    assert!(error.is_out_of_resources(), "{error:?}");
    assert_eq!(error.elapsed(), 250 * MS);
}

#[tokio::test(start_paused = true)]
async fn what_another_task_tells_of_the_progress_reaches_the_race() {
    let options = ConnectOptions::default();
    let (_, info) = race(results(&[1, 2]), &options, |endpoint, progress| async move {
        let handshake = tokio::spawn(async move {
            sleep(200 * MS).await;
            progress.transport_up();
            sleep(200 * MS).await;
        });
        handshake.await.map_err(io::Error::from)?;
        Ok::<_, io::Error>(endpoint)
    })
    .await
    .unwrap();
    assert_eq!(info.attempts().len(), 1, "{info:?}");
    assert_eq!(info.winner().transport_up, Some(200 * MS));
    assert_eq!(info.connected_after(), 400 * MS);
}

#[tokio::test(start_paused = true)]
async fn the_options_hold_for_any_attempt() {
    let denied = AddressPolicy::default().deny(addr(1).ip().into());
    let limits = RaceOptions::default().attempt_timeout(100 * MS).connect_timeout(150 * MS);
    let options = ConnectOptions::default().policy(denied).race(limits);
    let silent = |_, _| std::future::pending::<Result<(), io::Error>>();
    let error = race(results(&[1, 2, 3]), &options, silent).await.unwrap_err();
    let told: Vec<_> = error.attempts().iter().map(|attempt| attempt.addr).collect();
    assert_eq!(told, [addr(2), addr(3)]);
    assert_eq!(error.attempts()[0].outcome.to_string(), "timed out");
    assert_eq!(error.attempts()[1].outcome.to_string(), "canceled");
    assert_eq!(error.skipped().len(), 1);
    assert_eq!((error.kind(), error.elapsed()), (ConnectErrorKind::Timeout, 150 * MS));
}

/// What is dialled need not be an address: here it selects a listener.
#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_can_be_raced() {
    use std::os::unix::net::UnixListener;
    use tokio::net::UnixStream;

    let path = |endpoint: &Endpoint| {
        let name = format!("outrace-{}-{}", std::process::id(), endpoint.addr.ip());
        std::env::temp_dir().join(name)
    };
    let here = path(&Endpoint { addr: addr(2) });
    let _listener = UnixListener::bind(&here).unwrap();
    let options = ConnectOptions::default();
    let won = race(results(&[1, 2]), &options, |endpoint, _| async move {
        UnixStream::connect(path(&endpoint)).await
    });
    let outcome = won.await;
    std::fs::remove_file(&here).unwrap();
    let (_, info) = outcome.unwrap();
    assert_eq!((info.addr(), info.attempts().len()), (addr(2), 2));
}

/// A clock that the test sets.
#[derive(Clone)]
struct Clock(Rc<Cell<Instant>>);

impl Timer for Clock {
    type Sleep = Pin<Box<dyn Future<Output = ()>>>;

    fn now(&self) -> Instant {
        self.0.get()
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        let clock = self.clone();
        Box::pin(std::future::poll_fn(move |_| {
            if clock.now() < deadline { Poll::Pending } else { Poll::Ready(()) }
        }))
    }
}

#[test]
fn with_another_timer_a_race_needs_no_tokio() {
    let clock = Clock(Rc::new(Cell::new(Instant::now() + Duration::from_secs(1000))));
    let options = ConnectOptions::default();
    let race = race(results(&[1, 2]), &options, |endpoint, _| async move {
        if endpoint.addr == addr(1) {
            std::future::pending::<()>().await;
        }
        Ok::<_, io::Error>(endpoint.addr)
    });
    let mut race = std::pin::pin!(race.timer(clock.clone()));
    let mut poll_after = |time| {
        clock.0.set(clock.now() + time);
        race.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    assert!(poll_after(Duration::ZERO).is_pending());
    assert!(poll_after(249 * MS).is_pending());
    let Poll::Ready(Ok((winner, info))) = poll_after(MS) else { panic!("the second attempt wins") };
    assert_eq!((winner, info.attempts().len()), (addr(2), 2));
    assert_eq!(info.connected_after(), 250 * MS);
}

/// The events of an observer, each with its time.
#[derive(Default)]
struct Times(Mutex<Vec<(Duration, String)>>);

impl Observer for Times {
    fn connect_event(&self, event: &ConnectEvent<'_>) {
        let what = match &event.kind {
            ConnectEventKind::AttemptEnded(attempt) => format!("lived {:?}", attempt.lived),
            ConnectEventKind::Dropped => "dropped".to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push((event.at, what));
    }
}

#[test]
fn a_race_that_is_dropped_is_dropped_at_the_time_of_its_own_clock() {
    let clock = Clock(Rc::new(Cell::new(Instant::now() + Duration::from_secs(1000))));
    let times = Arc::new(Times::default());
    let options = ConnectOptions::default().observer(Arc::clone(&times));
    let attempt = |_, _| std::future::pending::<io::Result<()>>();
    let mut race = Box::pin(race(results(&[1]), &options, attempt).timer(clock.clone()));
    assert!(race.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    clock.0.set(clock.now() + 249 * MS);
    drop(race);
    let at = 249 * MS;
    assert_eq!(*times.0.lock().unwrap(), [(at, format!("lived {at:?}")), (at, "dropped".into())]);
}
