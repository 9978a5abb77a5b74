//! What the world's nameservers and middleboxes do that they should not, and that need not cost a
//! lookup: no EDNS, messages cut or with something behind them, referrals, TCP that is blocked.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries};

const OK: &str = "* * -> answer 192.0.2.1";
const WWW_2: &str = "192.0.2.1@2 =www.example@2 ok@2";

/// The first question is asked again at once without EDNS, and the next one without from the start.
#[track_caller]
fn does_not_know_edns(script: &str) {
    let steps = &["0 lookup www.example", "1000 lookup b.example"];
    let results = &[WWW_2, "192.0.2.1@1001 =b.example@1001 ok@1001"];
    let queries = "0 ns1 www.example A, 1 ns1 www.example A plain, 1000 ns1 b.example A plain";
    Scenario { servers: &[script], steps, results, queries, ..SCENARIO }.check();
}

/// The nameserver copies the query's OPT record to where the answer should be.
#[test]
fn rr03_a_stray_opt_record_has_the_question_asked_without_edns_and_is_remembered() {
    for place in ["answer", "authority", "additional"] {
        let script = format!(
            "* * edns -> {place} rr OPT - additional 192.0.2.66 no-edns; * * no-edns -> answer 192.0.2.1"
        );
        does_not_know_edns(&script);
    }
}

/// It was not EDNS, then.
#[test]
fn rr03_a_stray_opt_record_without_edns_asked_for_cannot_be_read() {
    let servers = &["$tcp refuse; * * -> answer rr OPT - 192.0.2.66 no-edns"];
    Scenario { servers, results: &["ServerFailure@503"], ..SCENARIO }.check();
    let servers = &[servers[0], OK];
    let results = &["192.0.2.1@3 =www.example@3 ok@3"];
    Scenario { servers, results, ..SCENARIO }.check();
}

#[test]
fn rr04_the_last_send_to_a_nameserver_that_never_answered_with_edns_has_none() {
    for failure in ["servfail", "refused", "rcode 9"] {
        let script = format!("* * edns -> {failure} no-edns; * * no-edns -> answer 192.0.2.1");
        does_not_know_edns(&script);
    }
}

#[test]
fn rr04_one_that_has_answered_with_edns_is_asked_with_it() {
    let servers = &["a.example * -> answer 192.0.2.1; * * -> servfail"];
    let steps = &["0 lookup a.example", "1000 lookup b.example"];
    let queries = "0 ns1 a.example A, 1000 ns1 b.example A, 1001 ns1 b.example A";
    Scenario { servers, steps, queries, ..SCENARIO }.check();
}

/// Each has its own way to say so: this one may mean EDNS, and is asked without at once; the others
/// are asked as well.
#[test]
fn rr04_notimp_has_the_question_asked_without_edns_at_once() {
    let servers = &["* * edns -> notimp no-edns; * * no-edns -> answer 192.0.2.1"];
    let results = &[WWW_2];
    Scenario { config: "attempts 1", servers, results, ..SCENARIO }.check();
    let servers = &["* * -> notimp", OK];
    Scenario { servers, results, ..SCENARIO }.check();
}

#[test]
fn rr08_addresses_count_whatever_comes_behind_them() {
    for behind in ["trailing 000000", "authority at example rr SOA 000000000000", "cut 48"] {
        let script = format!("* * -> answer 192.0.2.1 {behind}");
        let results = &["192.0.2.1@1 =www.example@1 ok@1"];
        Scenario { servers: &[&script], results, ..SCENARIO }.check();
    }
}

#[test]
fn rr08_a_soa_record_that_cannot_be_read_denies_all_the_same() {
    let servers = &["* * -> nxdomain authority at example rr SOA 000000000000"];
    Scenario { servers, results: &["NotFound@1"], ..SCENARIO }.check();
}

/// It was silence until the end of the lookup's time.
#[test]
fn rr08_an_answer_that_cannot_be_read_is_asked_for_over_tcp_and_elsewhere_at_once() {
    for broken in ["answer 192.0.2.66 cut 40", "nxdomain authority soa 60 trailing 00"] {
        let script = format!("* * udp -> {broken}; * * tcp -> answer 192.0.2.1");
        let results = &["192.0.2.1@3 =www.example@3 ok@3"];
        let queries = "0 ns1 www.example A, 2 ns1/tcp www.example A";
        Scenario { servers: &[&script], results, queries, ..SCENARIO }.check();
        let script = format!("$tcp refuse; * * udp -> {broken}");
        Scenario { servers: &[&script, OK], results: &[WWW_2], ..SCENARIO }.check();
        // Its true answer still counts.
        let script = format!("$tcp refuse; * * udp -> {broken}, delay 9ms, answer 192.0.2.1");
        let results = &["192.0.2.1@9 =www.example@9 ok@9"];
        Scenario { servers: &[&script], results, queries: "0 ns1 www.example A", ..SCENARIO }
            .check();
        // And the error tells the cause.
        let script = format!("$tcp refuse; * * udp -> {broken}");
        let world = Scenario { servers: &[&script], ..SCENARIO }.check();
        let told = crate::resolve::sim::scenario::results(&world, 1);
        assert!(told.starts_with("ServerFailure@"), "{told}");
    }
}

/// There is no other way to ask: it is the nameserver's response on a connection that it accepted.
#[test]
fn rr08_a_response_over_tcp_that_cannot_be_read_is_a_failure() {
    let broken = "* * -> answer 192.0.2.66 cut 40, delay 9ms, answer 192.0.2.66";
    let servers = &[broken, OK];
    let results = &["192.0.2.1@4 =www.example@4 ok@4"];
    Scenario { config: "use-vc", servers, results, ..SCENARIO }.check();
    let config = "use-vc; attempts 1";
    let world = Scenario { config, servers: &[broken], ..SCENARIO }.check();
    let end = world.consumers.values().next().and_then(|consumer| consumer.results.last());
    let error = format!("{:?}", end.map(|(_, end)| end));
    assert!(error.contains("ServerFailure") && error.contains("Malformed"), "{error}");
}

/// The lenient forms under a wrong id, or about another question, are what they always were.
#[test]
fn rr08_rr13_a_forger_who_does_not_know_the_id_gains_nothing_by_a_broken_message() {
    for broken in [
        "wrong-id answer 192.0.2.66 trailing 00",
        "wrong-id answer 192.0.2.66 cut 48",
        "wrong-id answer 192.0.2.66 tc",
        "wrong-id truncate header-only",
        "wrong-id answer rr OPT - 192.0.2.66",
        "question x.www.example A 192.0.2.66 trailing 00",
        "question x.www.example A 192.0.2.66 tc",
        "question x.www.example A answer rr OPT - 192.0.2.66",
        "question x.www.example A nodata authority ns ns.example",
    ] {
        let script = format!("$tcp refuse; * * -> {broken}, delay 9ms, answer 192.0.2.1");
        let results = &["192.0.2.1@9 =www.example@9 ok@9"];
        let world = Scenario { servers: &[&script], results, ..SCENARIO }.check();
        assert_eq!(queries(&world), "0 ns1 www.example A", "after {broken}");
    }
}

/// A referral, whatever its flags, and an empty response: the good nameserver behind knows better.
#[test]
fn rr10_no_address_counts_when_no_nameserver_has_a_better_answer() {
    for empty in [
        "nodata no-aa authority at example ns ns.example",
        "nodata authority at example ns ns.example",
        "nodata no-aa",
        "nodata no-aa no-ra edns",
    ] {
        let script = format!("* * -> {empty}");
        for config in ["", "in-turn"] {
            let (servers, results) = (&[script.as_str(), OK], &[WWW_2]);
            Scenario { config, servers, results, ..SCENARIO }.check();
            let servers = &[script.as_str(), "* * -> nxdomain"];
            Scenario { config, servers, results: &["NotFound@2"], ..SCENARIO }.check();
            let servers = &[script.as_str(), &script, &script];
            let results = [if config.is_empty() { "NoAddress@2" } else { "NoAddress@3" }];
            Scenario { config, servers, results: &results, ..SCENARIO }.check();
            let servers = &[script.as_str(), "* * -> servfail"];
            Scenario { config, servers, results: &["NoAddress@2"], ..SCENARIO }.check();
        }
        let servers = &[script.as_str(), "* * -> delay 10ms, answer 192.0.2.1"];
        let results = &["192.0.2.1@10 =www.example@10 ok@10"];
        Scenario { config: "all", servers, results, ..SCENARIO }.check();
        Scenario { servers: &[&script], results: &["NoAddress@1"], ..SCENARIO }.check();
    }
}

/// The second is well, and was asked this question as often as it may be: it has no more to say.
#[test]
fn rr10_a_nameserver_without_sends_left_is_not_waited_for() {
    let servers = &[
        "www.example * -> servfail | servfail | nodata no-aa; * * -> servfail",
        "www.example * edns -> formerr no-edns; www.example * no-edns -> servfail; \
         * * -> answer 192.0.2.1",
    ];
    let steps = &["0 lookup www.example", "100 lookup other.example"];
    let results = &["NoAddress@256", "192.0.2.1@102 =other.example@102 ok@102"];
    Scenario { config: "in-turn; attempts 4", servers, steps, results, ..SCENARIO }.check();
}

/// A dead nameserver has no better answer: it costs the late delay once, and then nothing.
#[test]
fn rr10_a_dead_nameserver_is_not_waited_for_twice() {
    let servers = &["* A -> answer 192.0.2.1; * AAAA -> nodata no-aa", "* * -> drop"];
    let steps = &["0 lookup a.example both", "1000 lookup b.example both"];
    let results = &["192.0.2.1@1 =a.example@1 ok@251", "192.0.2.1@1001 =b.example@1001 ok@1001"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn rr12_the_addresses_of_a_truncated_response_are_the_last_resort() {
    let servers = &["$tcp refuse; * * -> answer 192.0.2.1 tc"];
    let results = &["192.0.2.1@2 =www.example@2 Unreachable@2"];
    Scenario { servers, results, ..SCENARIO }.check();
    // Silence over TCP takes its time.
    let servers = &["$tcp black-hole; * * -> answer 192.0.2.1 tc"];
    let results = &["192.0.2.1@3000 =www.example@3000 Timeout@3000"];
    Scenario { servers, results, ..SCENARIO }.check();
    // Another nameserver has the whole.
    let servers = &["$tcp black-hole; * * -> answer 192.0.2.66 tc", OK];
    let results = &["192.0.2.1@1002 =www.example@1002 ok@1002"];
    Scenario { servers, results, ..SCENARIO }.check();
    // The other family is as it is.
    let servers = &["$tcp refuse; * A -> answer 192.0.2.1 tc; * AAAA -> answer 2001:db8::1"];
    let results = &["2001:db8::1@1 =www.example@1 192.0.2.1@2 Unreachable@2"];
    Scenario { servers, steps: &["0 lookup www.example both"], results, ..SCENARIO }.check();
}

#[test]
fn rr13_a_truncated_header_alone_leads_to_tcp() {
    let servers = &["* * udp -> truncate header-only; * * tcp -> answer 192.0.2.1"];
    let results = &["192.0.2.1@3 =www.example@3 ok@3"];
    let queries = "0 ns1 www.example A, 2 ns1/tcp www.example A";
    Scenario { servers, results, queries, ..SCENARIO }.check();
}
