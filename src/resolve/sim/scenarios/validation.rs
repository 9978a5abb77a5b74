//! What arrives beside the true response (RFC 5452 section 9): it never ends a question, and it
//! never comes out as a result. What one message means is tested where messages are read.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries, results};
use crate::testkit::Message;

/// What the true response brings, 9 ms after the query.
const TRUE: &str = "192.0.2.1@9 =www.example@9 ok@9";

/// A message with the right id that says it has 65,535 answers.
const JUNK: &str = "raw 000081800001ffff00000000c0";

/// Plays each of these ahead of the true response, over UDP, with no TCP to turn to.
#[track_caller]
fn ahead_of_the_truth(ignored: &[&str]) {
    for message in ignored {
        let script = format!("$tcp refuse; * * -> {message}, delay 9ms, answer 192.0.2.1");
        let world = Scenario { servers: &[&script], ..SCENARIO }.check();
        assert_eq!(results(&world, 1), TRUE, "after {message}");
        assert_eq!(queries(&world), "0 ns1 www.example A", "after {message}");
    }
}

#[test]
fn rv01_junk_and_wrong_ids_are_ignored() {
    ahead_of_the_truth(&[
        JUNK,
        "wrong-id 192.0.2.66",
        &format!("{JUNK}, wrong-id 192.0.2.66, {JUNK}"),
    ]);
}

/// The driver connects its sockets, so that the kernel lets in nothing from elsewhere; in the core
/// a datagram for a socket it does not have goes nowhere, and so does one for another query's
/// socket.
#[test]
fn rv02_a_response_on_another_socket_is_ignored() {
    let steps = &["0 lookup a.example", "0 lookup b.example"];
    let servers = &["* * -> delay 9ms, answer 192.0.2.1"];
    let mut world = Scenario { servers, steps, ..SCENARIO }.start();
    world.run_until(std::time::Duration::from_millis(1));
    let [a, b] = [0, 1].map(|n| world.log[n].clone());
    let forged = a.query.reply(&Message::answer([[192, 0, 2, 66].into()]));
    for socket in [b.socket, crate::resolve::stub::ids::SocketId(9999)] {
        let event = crate::resolve::sim::world::Event::Datagram(socket, forged.clone());
        world.at(std::time::Duration::from_millis(5), event);
    }
    world.run();
    assert_eq!(results(&world, 1), "192.0.2.1@9 =a.example@9 ok@9");
    assert_eq!(results(&world, 2), "192.0.2.1@9 =b.example@9 ok@9");
}

#[test]
fn rv03_messages_cut_off_are_ignored() {
    ahead_of_the_truth(&[
        "echo cut 10",
        "answer 192.0.2.66 cut 20",
        JUNK,
        "wrong-id 192.0.2.66 trailing 000000",
        "echo cut 10, question x.www.example A 192.0.2.66 trailing 000000",
    ]);
}

#[test]
fn rv04_our_own_query_sent_back_is_ignored() {
    ahead_of_the_truth(&["echo", "echo times 9"]);
}

#[test]
fn rv05_a_thousand_empty_datagrams_are_ignored() {
    ahead_of_the_truth(&["cut 0", "cut 0 times 1000"]);
}

#[test]
fn rv06_wrong_ids_start_one_try_over_tcp_and_end_nothing() {
    for count in [1, 3, 8, 1000] {
        let script = format!(
            "* * udp -> wrong-id 192.0.2.66 times {count}, delay 9ms, answer 192.0.2.1;
             * * tcp -> delay 30ms, answer 192.0.2.1"
        );
        let world = Scenario { servers: &[&script], results: &[TRUE], ..SCENARIO }.check();
        assert_eq!(queries(&world), "0 ns1 www.example A, 2 ns1/tcp www.example A");
    }
    // While the flood lasts, TCP brings the answer.
    let servers = &["* * udp -> wrong-id 192.0.2.66 times 1000; * * tcp -> answer 192.0.2.1"];
    Scenario { servers, results: &["192.0.2.1@3 =www.example@3 ok@3"], ..SCENARIO }.check();
    // Without TCP the resends over UDP go on, and one attempt is not used up by the refusal.
    let servers = &["$tcp refuse; * * udp -> wrong-id 192.0.2.66 | drop | answer 192.0.2.1"];
    let results = &["192.0.2.1@1001 =www.example@1001 ok@1001"];
    Scenario { config: "attempts 1", servers, results, ..SCENARIO }.check();
}

#[test]
fn rv07_another_name_type_or_class_is_ignored_and_another_case_is_not() {
    ahead_of_the_truth(&[
        "question x.www.example A 192.0.2.66",
        "question www.example AAAA 192.0.2.66",
        "question-class CH 192.0.2.66",
    ]);
    let servers = &["* * -> answer uppercase 192.0.2.1"];
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    Scenario { servers, results, ..SCENARIO }.check();
}

#[test]
fn rv08_no_question_or_two_are_ignored() {
    ahead_of_the_truth(&[
        "no-question 192.0.2.66",
        "nodata header-only",
        "nxdomain header-only",
        "two-questions 192.0.2.66",
    ]);
}

#[test]
fn rv09_another_opcode_is_ignored_and_the_z_bit_is_not_looked_at() {
    ahead_of_the_truth(&["opcode 5 192.0.2.66"]);
    let servers = &["* * -> answer z 192.0.2.1"];
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    Scenario { servers, results, ..SCENARIO }.check();
}

#[test]
fn rv12_an_address_of_another_owner_is_not_used() {
    let servers = &["* * -> answer at bank.example 192.0.2.66"];
    Scenario { servers, results: &["NoAddress@1"], ..SCENARIO }.check();
}

#[test]
fn rv17_a_duplicate_after_delivery_has_no_effect_and_finds_the_port_closed() {
    let servers = &["* * -> answer 192.0.2.1 times 5"];
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    let world = Scenario { servers, results, ..SCENARIO }.check();
    assert_eq!(world.stats().answered, 1);
    // The port is still open while the other family is out: counted, and no more than that.
    let servers = &["$tcp refuse; * A -> answer 192.0.2.1 times 5; * AAAA -> delay 9ms, nodata"];
    let steps = &["0 lookup www.example both"];
    let results = &["192.0.2.1@1 =www.example@1 ok@9"];
    let world = Scenario { servers, steps, results, ..SCENARIO }.check();
    let stats = world.stats();
    assert_eq!((stats.answered, stats.ignored.duplicate, stats.ignored.total()), (2, 4, 4));
}

#[test]
fn rv18_a_late_response_to_the_first_send_counts_and_cancels_the_second() {
    let servers = &["* * -> delay 300ms, answer 192.0.2.1 | drop"];
    let results = &["192.0.2.1@300 =www.example@300 ok@300"];
    let queries = "0 ns1 www.example A, 250 ns1 www.example A";
    let world = Scenario { servers, results, queries, ..SCENARIO }.check();
    assert_eq!(world.elapsed().as_millis(), 300, "nothing is left to wait for");
}

#[test]
fn rv19_both_families_count_in_either_order_and_together() {
    let steps = &["0 lookup www.example both"];
    for (a, aaaa, expected) in [
        (1, 1, "2001:db8::1@1 =www.example@1 192.0.2.1@1 ok@1"),
        (7, 2, "2001:db8::1@2 =www.example@2 192.0.2.1@7 ok@7"),
    ] {
        let script = format!(
            "* A -> delay {a}ms, answer 192.0.2.1\n* AAAA -> delay {aaaa}ms, answer 2001:db8::1"
        );
        Scenario { servers: &[&script], steps, results: &[expected], ..SCENARIO }.check();
    }
}

/// A duplicate of a failure is not a second failure.
#[test]
fn rv17_a_duplicated_servfail_counts_once() {
    let servers = &["* * -> servfail times 4 | answer 192.0.2.1"];
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    Scenario { servers, results, ..SCENARIO }.check();
}

/// A private name is becoming a public one: it is counted, and the caller gets the answer.
#[test]
fn su04_the_address_of_a_name_collision_is_returned_and_counted() {
    let servers = &["www.example A -> answer 127.0.53.53; other.example A -> answer 127.0.53.54"];
    let steps = &["0 lookup www.example", "0 lookup other.example"];
    let results = &["127.0.53.53@1 =www.example@1 ok@1", "127.0.53.54@1 =other.example@1 ok@1"];
    let world = Scenario { servers, steps, results, ..SCENARIO }.check();
    assert_eq!(world.stats().name_collisions, 1);
}

/// No zone comes with it, so that each connect would fail.
#[test]
fn rr19_a_link_local_address_is_skipped_and_counted() {
    let servers = &["www.example AAAA -> answer fe80::1 2001:db8::1 febf::1; \
                     www.example A -> answer 169.254.0.1; * AAAA -> answer fe80::1"];
    let steps = &["0 lookup www.example both", "10 lookup other.example both"];
    let results = &["2001:db8::1@1 =www.example@1 169.254.0.1@1 ok@1", "NoAddress@11"];
    let world = Scenario { servers, steps, results, ..SCENARIO }.check();
    assert_eq!(world.stats().link_local, 2);
    // A policy that denies it has the first word.
    let results = &["2001:db8::1@1 =www.example@1 169.254.0.1@1 ok@1", "PolicyDenied@11"];
    Scenario { config: "deny fe80::/10", servers, steps, results, ..SCENARIO }.check();
}
