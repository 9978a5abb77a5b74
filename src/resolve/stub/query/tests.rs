//! What a query does that the scenarios cannot bring about.

use super::*;
use crate::resolve::wire::message::Response;

/// The process was stopped, and what has arrived is read before the timers: with a second
/// nameserver that could be asked now, and no time left for its word.
#[test]
fn rr22_a_query_whose_time_is_over_asks_no_other_nameserver() {
    let timeout = Duration::from_secs(1);
    for (after, is_asked) in [(timeout / 2, true), (timeout, false), (2 * timeout, false)] {
        let mut servers = [1, 2].map(|last| Nameserver::new(([127, 0, 0, last], 53).into()));
        let start = Instant::now();
        let config = QueryConfig {
            strategy: NameserverStrategy::Hedged,
            is_unconfigured: false,
            timeout,
            attempts: 1,
            edns: true,
            tcp_only: false,
            spreads_resends: false,
        };
        let deadline = start + timeout;
        let mut query = Query::new([RecordType::A], config, &mut servers, 0, deadline, 0, start);
        let first = query.poll_send(&mut servers, start).expect("the first nameserver is asked");
        assert_eq!(query.poll_send(&mut servers, start), None);
        let sent = SentQuery {
            question: 0,
            server: first.server,
            transport: first.transport,
            edns: first.edns,
            at: start,
            number: first.number,
            is_after_silence: false,
        };
        let now = start + after;
        query.handle_response(sent, Response::LameReferral, &mut servers, now);
        let other = query.poll_send(&mut servers, now).map(|send| send.server);
        assert_eq!(other, is_asked.then_some(1), "{after:?}");
    }
}
