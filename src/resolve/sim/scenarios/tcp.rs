//! Truncation and TCP (RFC 7766).

use std::collections::HashSet;

use crate::resolve::error::Transport;
use crate::resolve::sim::scenario::{SCENARIO, Scenario, results};

const WWW: &str = "192.0.2.1@3 =www.example@3 ok@3";

#[test]
fn tr01_a_truncated_response_is_asked_for_over_tcp_under_a_new_id() {
    let servers = &["* * udp -> answer 192.0.2.66 tc; * * tcp -> answer 192.0.2.1"];
    let queries = "0 ns1 www.example A, 2 ns1/tcp www.example A";
    let world = Scenario { servers, results: &[WWW], queries, ..SCENARIO }.check();
    assert_ne!(world.log[0].query.id, world.log[1].query.id);
}

#[test]
fn tr02_the_bit_means_nothing_over_tcp() {
    let servers = &["* * -> answer 192.0.2.1 tc"];
    Scenario { servers, results: &[WWW], ..SCENARIO }.check();
}

#[test]
fn tr03_truncation_under_a_wrong_question_is_ignored() {
    let servers = &["* * udp -> question x.www.example A truncate, delay 9ms, answer 192.0.2.1"];
    let results = &["192.0.2.1@9 =www.example@9 ok@9"];
    Scenario { servers, results, queries: "0 ns1 www.example A", ..SCENARIO }.check();
}

/// A wrong id starts a try over TCP beside the socket, as any message with a wrong id does; the
/// truncation itself is not believed.
#[test]
fn tr03_truncation_under_a_wrong_id_is_a_guess_like_any_other() {
    let servers = &["$tcp refuse; * * udp -> wrong-id truncate, delay 9ms, answer 192.0.2.1"];
    let results = &["192.0.2.1@9 =www.example@9 ok@9"];
    Scenario { servers, results, queries: "0 ns1 www.example A", ..SCENARIO }.check();
}

/// The read buffer of the driver takes any datagram there can be, so that none is ever cut off by
/// the system: what is too long for a nameserver's limit comes whole.
#[test]
fn tr04_a_datagram_of_any_length_is_read_whole() {
    let many = (1..=250).map(|n| format!("192.0.2.{n}")).collect::<Vec<_>>().join(" ");
    let script = format!("* * udp -> answer {many} oversize");
    let world = Scenario { servers: &[&script], ..SCENARIO }.check();
    assert_eq!(world.consumers.values().next().unwrap().results.len(), 252);
}

#[test]
fn tr05_a_message_in_pieces_and_a_connection_closed_behind_it() {
    let servers = &["* * -> answer 192.0.2.1 drip 1ms, close"];
    let world = Scenario { config: "use-vc", servers, ..SCENARIO }.check();
    assert!(results(&world, 1).starts_with("192.0.2.1@"), "{}", results(&world, 1));
}

#[test]
fn tr06_frames_too_short_for_a_message_are_passed_over() {
    let servers = &["* * -> raw -, raw ff, raw 010203, answer 192.0.2.1"];
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    Scenario { config: "use-vc", servers, results, ..SCENARIO }.check();
    let many = (0..4095).map(|n| format!("10.0.{}.{}", n >> 8, n & 255)).collect::<Vec<_>>();
    let script = format!("* * -> answer {}", many[..2400].join(" "));
    let world = Scenario { config: "use-vc", servers: &[&script], ..SCENARIO }.check();
    assert_eq!(world.consumers.values().next().unwrap().results.len(), 2402);
}

#[test]
fn tr07_a_connection_closed_before_its_first_answer_is_a_failure() {
    let servers = &["* * -> close", "* * -> answer 192.0.2.1"];
    let results = &["192.0.2.1@4 =www.example@4 ok@4"];
    let queries = "1 ns1/tcp www.example A, 3 ns2/tcp www.example A";
    Scenario { config: "use-vc; in-turn", servers, results, queries, ..SCENARIO }.check();
    let servers = &["* * -> close | answer 192.0.2.1"];
    let results = &["192.0.2.1@254 =www.example@254 ok@254"];
    Scenario { config: "use-vc", servers, results, ..SCENARIO }.check();
}

#[test]
fn tr08_one_octet_every_900_ms_ends_at_the_timeout() {
    let servers = &["* * -> answer 192.0.2.1 drip 900ms"];
    Scenario { config: "use-vc", servers, results: &["Timeout@5000"], ..SCENARIO }.check();
}

#[test]
fn tr09_rr12_a_closed_tcp_port_passes_the_question_on() {
    let truncates = "$tcp refuse; * * -> answer 192.0.2.66 tc";
    let servers = &[truncates, "* * -> answer 192.0.2.1"];
    let results = &["192.0.2.1@3 =www.example@3 ok@3"];
    Scenario { config: "in-turn", servers, results, ..SCENARIO }.check();
    Scenario { servers, results, ..SCENARIO }.check();
    let truncates = "$tcp refuse; * * -> truncate";
    Scenario { servers: &[truncates], results: &["Unreachable@103"], ..SCENARIO }.check();
}

#[test]
fn tr10_a_connection_lost_after_an_answer_is_replaced_once() {
    let servers = &["a.example * -> answer 192.0.2.1; b.example * -> reset | answer 192.0.2.2"];
    let steps = &["0 lookup a.example", "10 lookup b.example"];
    let results = &["192.0.2.1@2 =a.example@2 ok@2", "192.0.2.2@13 =b.example@13 ok@13"];
    let queries = "1 ns1/tcp a.example A, 10 ns1/tcp b.example A, 12 ns1/tcp b.example A";
    Scenario { config: "use-vc", servers, steps, results, queries }.check();
    let servers = &["a.example * -> answer 192.0.2.1; b.example * -> reset"];
    let config = "use-vc; attempts 3";
    let world = Scenario { config, servers, steps, ..SCENARIO }.check();
    assert_eq!(world.log.len(), 1 + 3, "sends");
    assert!(crate::resolve::sim::scenario::results(&world, 2).starts_with("Unreachable"));
}

#[test]
fn tr11_use_vc_sends_no_datagram() {
    let servers = &["* * -> servfail", "* * -> answer 192.0.2.1"];
    let world = Scenario { config: "use-vc", servers, ..SCENARIO }.check();
    assert!(world.log.iter().all(|record| record.query.transport == Transport::Tcp));
}

#[test]
fn tr12_32_questions_share_a_connection_and_are_answered_in_any_order() {
    let steps: Vec<_> = (0..32).map(|n| format!("0 lookup n{n}.example")).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let servers = &["* * -> delay 50ms, answer 192.0.2.1 | delay 40ms, answer 192.0.2.1 | \
           delay 30ms, answer 192.0.2.1"];
    let world = Scenario { config: "use-vc", servers, steps: &steps, ..SCENARIO }.check();
    let sockets: HashSet<_> = world.log.iter().map(|record| record.socket).collect();
    let ids: HashSet<_> = world.log.iter().map(|record| record.query.id).collect();
    assert_eq!((sockets.len(), ids.len()), (1, 32));
    assert!((1..=32).all(|id| results(&world, id).contains("ok@")));
}

#[test]
fn tr13_another_question_under_the_right_id_is_never_delivered_over_tcp_either() {
    let servers = &["* * -> question x.www.example A 192.0.2.66, delay 9ms, answer 192.0.2.1"];
    let results = &["192.0.2.1@10 =www.example@10 ok@10"];
    Scenario { config: "use-vc", servers, results, ..SCENARIO }.check();
}

#[test]
fn tr14_both_families_truncated_take_one_connection() {
    let servers =
        &["* * udp -> truncate; * A tcp -> answer 192.0.2.1; * * tcp -> answer 2001:db8::1"];
    let steps = &["0 lookup www.example both"];
    let world = Scenario { servers, steps, ..SCENARIO }.check();
    let brought = results(&world, 1);
    assert!(brought.contains("192.0.2.1@3") && brought.contains("2001:db8::1@3"), "{brought}");
    let over_tcp = world.log.iter().filter(|record| record.query.transport == Transport::Tcp);
    let sockets: HashSet<_> = over_tcp.map(|record| record.socket).collect();
    assert_eq!(sockets.len(), 1);
}

/// A connection that is never idle must not keep the ids of questions long answered.
#[test]
fn tr12_seventy_thousand_questions_over_one_connection() {
    let steps: Vec<_> = (0..70_000).map(|n| format!("{} lookup n{n}.example", n / 64)).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let servers = &["* * -> answer 192.0.2.1"];
    let world = Scenario { config: "use-vc", servers, steps: &steps, ..SCENARIO }.check();
    let sockets: HashSet<_> = world.log.iter().map(|record| record.socket).collect();
    assert_eq!((sockets.len(), world.log.len()), (1, 70_000));
}

/// Such a nameserver reads one query of a connection. A second connection brings the other answer.
#[test]
fn rr16_what_is_late_on_a_connection_that_has_answered_gets_a_new_one() {
    let servers = &["* A -> answer 192.0.2.1; * AAAA -> drop | answer 2001:db8::1"];
    let results = &["192.0.2.1@2 =www.example@2 2001:db8::1@1002 ok@1002"];
    let queries =
        "1 ns1/tcp www.example A, 1 ns1/tcp www.example AAAA, 1001 ns1/tcp www.example AAAA";
    let steps = &["0 lookup www.example both"];
    let world = Scenario { config: "use-vc", servers, steps, results, queries }.check();
    let [first, second, again] = &world.log[..] else { panic!("three queries") };
    assert_eq!(first.socket, second.socket);
    assert_ne!(first.socket, again.socket);
}

/// Nothing came on it: a second connection would bring no more.
#[test]
fn rr16_a_connection_that_never_answered_is_not_left() {
    let servers = &["* * -> drop"];
    let queries = "1 ns1/tcp www.example A";
    let results = &["Timeout@5000"];
    Scenario { config: "use-vc", servers, results, queries, ..SCENARIO }.check();
}
