//! What a query does that the scenarios cannot bring about.

use super::*;
use crate::resolve::error::Rcode;
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::wire::case_mask::tests::mask;
use crate::resolve::wire::message::Response;

/// A query for A of which nothing was sent.
fn query(timeout: Duration, attempts: u8, servers: &mut [Nameserver], start: Instant) -> Query {
    let config = QueryConfig {
        strategy: NameserverStrategy::Hedged,
        is_unconfigured: false,
        timeout,
        attempts,
        edns: true,
        tcp_only: false,
        mixed_case: false,
    };
    Query::new([RecordType::A], config, servers, 0, start + timeout, 1000, start)
}

fn sent(send: QuerySend, at: Instant) -> SentQuery {
    let QuerySend { server, transport, edns, number, .. } = send;
    let (question, case, is_after_silence) = (0, None, false);
    SentQuery { question, server, transport, edns, case, at, number, is_after_silence }
}

/// The process was stopped, and what has arrived is read before the timers: with a second
/// nameserver that could be asked now, and no time left for its word.
#[test]
fn rr22_a_query_whose_time_is_over_asks_no_other_nameserver() {
    let timeout = Duration::from_secs(1);
    for (after, is_asked) in [(timeout / 2, true), (timeout, false), (2 * timeout, false)] {
        let mut servers = [1, 2].map(|last| Nameserver::new(([127, 0, 0, last], 53).into(), None));
        let start = Instant::now();
        let mut query = query(timeout, 1, &mut servers, start);
        let first = query.poll_send(&mut servers, start).expect("the first nameserver is asked");
        assert_eq!(query.poll_send(&mut servers, start), None);
        let sent = sent(first, start);
        let now = start + after;
        query.handle_response(sent, Response::LameReferral, &mut servers, now);
        let other = query.poll_send(&mut servers, now).map(|send| send.server);
        assert_eq!(other, is_asked.then_some(1), "{after:?}");
    }
}

/// A response to the first send is late: the nameserver was asked as the name was given since.
#[test]
fn what_comes_in_another_case_later_is_no_reason_to_ask_again() {
    let mut servers = [Nameserver::new(([127, 0, 0, 1], 53).into(), None)];
    let now = Instant::now();
    let mut query = query(Duration::from_secs(5), 2, &mut servers, now);
    query.config.mixed_case = true;
    let first = query.poll_send(&mut servers, now).expect("it is asked");
    assert!(first.mixes_case);
    let first = sent(first, now);
    query.handle_response(first, Response::CaseMismatch, &mut servers, now);
    let over_tcp = query.poll_send(&mut servers, now).expect("it is asked over TCP");
    assert_eq!((over_tcp.transport, query.poll_send(&mut servers, now)), (Transport::Tcp, None));
    let refused = SocketError::Failed(std::io::ErrorKind::ConnectionRefused);
    query.handle_socket_error(sent(over_tcp, now), refused, false, &mut servers, now);
    let plain = query.poll_send(&mut servers, now).expect("it is asked over UDP");
    assert_eq!((plain.transport, plain.mixes_case), (Transport::Udp, false));
    query.handle_response(first, Response::CaseMismatch, &mut servers, now);
    assert_eq!(query.poll_send(&mut servers, now), None);
}

/// A send was kept for the case that TCP cannot be had. Then the nameserver refuses the question
/// under load, in the case of its query, and its TCP port: what came in another case was forged.
#[test]
fn the_send_that_was_kept_back_is_made_when_the_case_was_right() {
    let mut servers = [Nameserver::new(([127, 0, 0, 1], 53).into(), None)];
    let start = Instant::now();
    let mut query = query(Duration::from_secs(5), 2, &mut servers, start);
    query.config.mixed_case = true;
    let first = query.poll_send(&mut servers, start).expect("it is asked");
    query.handle_response(sent(first, start), Response::CaseMismatch, &mut servers, start);
    let over_tcp = query.poll_send(&mut servers, start).expect("it is asked over TCP");
    let (mut now, mut last) = (start, None);
    while now < start + Duration::from_secs(1) {
        now = query.poll_timeout().expect("it is open");
        query.handle_timeout(&mut servers, now);
        last = query.poll_send(&mut servers, now).or(last);
    }
    let second = SentQuery { case: Some(mask(0)), ..sent(last.expect("it is asked again"), now) };
    servers[0].note_udp_sends(20, now);
    query.handle_response(second, Response::Failure(Rcode::REFUSED), &mut servers, now);
    let refused = SocketError::Failed(std::io::ErrorKind::ConnectionRefused);
    query.handle_socket_error(sent(over_tcp, start), refused, true, &mut servers, now);
    let third = loop {
        if let Some(send) = query.poll_send(&mut servers, now) {
            break send;
        }
        now = query.poll_timeout().expect("it is open");
        servers[0].expire_sends(now);
        query.handle_timeout(&mut servers, now);
    };
    assert_eq!((third.transport, third.mixes_case), (Transport::Udp, true));
    assert!(now <= start + Duration::from_secs(2), "{:?}", now - start);
}

/// The table of a forwarder is full, and its REFUSED comes when nothing of the burst counts as on
/// the way any more: this machine is busy as well. The question is asked in the middle of the load,
/// or as it ends.
#[test]
fn rr17_a_question_that_a_burst_had_refused_is_given_the_time_to_outlast_it() {
    for after in [0, 900].map(Duration::from_millis) {
        let mut servers = [Nameserver::new(([127, 0, 0, 1], 53).into(), None)];
        let burst = Instant::now();
        let number = servers[0].note_udp_sends(20, burst);
        servers[0].handle_overload(number, burst);
        let mut at = burst + after;
        servers[0].expire_sends(at);
        let mut query = query(Duration::from_secs(5), 2, &mut servers, at);
        let mut refused_at = Vec::new();
        while query.is_open(0) {
            if let Some(send) = query.poll_send(&mut servers, at) {
                at += Duration::from_millis(1);
                refused_at.push(at - burst);
                let refused = Response::Failure(Rcode::REFUSED);
                query.handle_response(sent(send, at), refused, &mut servers, at);
            } else {
                at = query.poll_timeout().expect("an open question has a time");
                servers[0].expire_sends(at);
                query.handle_timeout(&mut servers, at);
            }
        }
        let [first, .., before, last] = refused_at[..] else { panic!("{refused_at:?}") };
        assert!(first < Duration::from_secs(1), "{refused_at:?}: under load");
        assert!(last >= before + Duration::from_secs(1), "{refused_at:?}");
        assert!(last < after + Duration::from_secs(4), "{refused_at:?}: and believed then");
        let Some((0, Settled::Failed(failure))) = query.poll_settled() else { panic!("it failed") };
        assert_eq!(failure.nameservers.len(), 1);
    }
}
