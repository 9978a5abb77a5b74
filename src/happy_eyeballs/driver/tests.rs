//! The driver between a scripted lookup and a scripted network, under a clock that stands still
//! unless every task waits.

mod observed;
mod script;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use script::{Script, address, drive, results, tell, virtual_time};

use super::*;
use crate::LookupErrorKind;
use crate::happy_eyeballs::{
    AttemptError, AttemptStage, ConnectErrorKind, RaceOptions, SocketOptions, TokioTimer,
};
use crate::resolve::AddressPolicy;

/// Each row: what the lookup gives, what the network does, what comes of it.
///
/// Lookup: `6a@40` is the address 6a after 40 ms, `end@50` the end, `end:timeout@50` an error.
/// Network: `6a=ok+10` connects after 10 ms, `6a=refused+10` fails, `6a=hang` does neither,
/// `6a=emfile` has no socket, `6a=noroute` fails before anything is sent; `6a=tls+10+50` has its
/// transport up after 10 ms and its handshake done after 50 ms, `6a=alert+10+50` has failed then.
/// Outcome: each attempt as `address@start+life:end`, then the end of the race.
#[track_caller]
fn check(rows: &[(&str, &str, &str, &str)]) {
    check_with(&RaceOptions::default(), rows);
}

#[track_caller]
fn check_with(config: &RaceOptions, rows: &[(&str, &str, &str, &str)]) {
    for &(rule, lookup, network, expected) in rows {
        let options = ConnectOptions::default().race(config.clone());
        let (outcome_text, open) = virtual_time(async {
            let script = Script::new(network, options);
            let open = Rc::clone(&script.open);
            let result = drive(results(lookup), script).await;
            (tell(&result.map(|(stream, info)| (stream.addr, info))), open.get())
        });
        assert_eq!(outcome_text, expected, "{rule}: {lookup} | {network}");
        assert_eq!(open, 0, "{rule}: no socket is left");
    }
}

#[test]
fn cr05_an_attempt_whose_time_is_over_is_closed_and_has_failed() {
    check_with(
        &RaceOptions::default().attempt_timeout(Duration::from_millis(100)),
        &[
            (
                "the next",
                "6a@0 4a@0 end@0",
                "6a=hang 4a=ok+10",
                "6a@0+100:timeout 4a@100+10:won = 4a@110",
            ),
            ("none is left", "6a@0 end@0", "6a=hang", "6a@0+100:timeout = noanswer@100"),
        ],
    );
}

/// Rules H41 and H42 of the notes on handshakes: the times are those of the rule's text.
#[test]
fn a_handshake_is_given_the_time_that_its_transport_lets_expect() {
    check(&[
        (
            "a live address is not raced against: 200 ms in, another 250 ms are given",
            "6a@0 4a@0 end@0",
            "6a=tls+200+440 4a=ok+10",
            "6a@0+440:won = 6a@440",
        ),
        (
            "twice the round trip, from when it was up",
            "6a@0 4a@0 end@0",
            "6a=tls+240+900 4a=tls+10+60",
            "6a@0+550:canceled 4a@490+60:won = 4a@550",
        ),
        (
            "the timer stays where it is later",
            "6a@0 4a@0 end@0",
            "6a=tls+20+900 4a=ok+10",
            "6a@0+260:canceled 4a@250+10:won = 4a@260",
        ),
        (
            "its failure starts the next at once",
            "6a@0 4a@0 end@0",
            "6a=alert+20+40 4a=ok+10",
            "6a@0+40:alert 4a@40+10:won = 4a@50",
        ),
        (
            "and is what the error says, although another was refused first",
            "6a@0 4a@0 end@0",
            "6a=refused+5 4a=alert+20+40",
            "6a@0+5:refused 4a@5+40:alert = io(invaliddata)@45",
        ),
    ]);
    check_with(
        &RaceOptions::default().connection_attempt_delay(Duration::from_millis(120)),
        &[(
            "at least 100 ms",
            "6a@0 4a@0 end@0",
            "6a=tls+30+125 4a=ok+10",
            "6a@0+125:won = 6a@125",
        )],
    );
    // The extension is no longer than a delay that the caller has chosen.
    check_with(
        &RaceOptions::default().connection_attempt_delay(Duration::from_millis(30)),
        &[(
            "a short delay",
            "6a@0 4a@0 end@0",
            "6a=tls+25+200 4a=ok+10",
            "6a@0+65:canceled 4a@55+10:won = 4a@65",
        )],
    );
}

/// Each row: the races of one program, one after the other, with the time between two.
#[test]
fn cr13_what_a_race_learns_orders_the_next() {
    let minutes = |n| Duration::from_secs(60) * n;
    for (rule, pause, rows) in [
        (
            "a dead first address costs its delay once",
            Duration::ZERO,
            vec![
                ("4a=hang 4b=ok+10", "4a@0+260:canceled 4b@250+10:won = 4b@260"),
                ("4a=hang 4b=ok+10", "4b@0+10:won = 4b@10"),
                ("4a=hang 4b=ok+10", "4b@0+10:won = 4b@10"),
            ],
        ),
        (
            "it is tried again after five minutes",
            minutes(5),
            vec![
                ("4a=hang 4b=ok+10", "4a@0+260:canceled 4b@250+10:won = 4b@260"),
                ("4a=ok+10 4b=ok+10", "4a@0+10:won = 4a@10"),
            ],
        ),
        (
            "it is tried when the others fail, and is as good as before then",
            minutes(1),
            vec![
                ("4a=refused+10 4b=ok+10", "4a@0+10:refused 4b@10+10:won = 4b@20"),
                ("4a=ok+10 4b=refused+10", "4b@0+10:refused 4a@10+10:won = 4a@20"),
                ("4a=ok+10 4b=ok+10", "4a@0+10:won = 4a@10"),
            ],
        ),
        (
            "the slow one gives way",
            Duration::ZERO,
            vec![
                ("4a=ok+200 4b=ok+10", "4a@0+200:won = 4a@200"),
                ("4a=ok+200 4b=ok+10", "4b@0+10:won = 4b@10"),
                ("4a=ok+200 4b=ok+10", "4b@0+10:won = 4b@10"),
            ],
        ),
    ] {
        let options = ConnectOptions::default();
        virtual_time(async {
            for (network, expected) in rows {
                let script = Script::new(network, options.clone());
                let lookup = results("4a@0 4b@0 end@0");
                let result = drive(lookup, script).await;
                let told = tell(&result.map(|(stream, info)| (stream.addr, info)));
                assert_eq!(told, expected, "{rule}");
                tokio::time::sleep(pause).await;
            }
        });
    }
}

#[test]
fn results_reach_the_race_as_they_come() {
    check(&[
        ("he03_first_answer", "6a@30", "6a=ok+10", "6a@30+10:won = 6a@40"),
        (
            "he04_aaaa_in_time",
            "4a@30 6a@40 end@40",
            "6a=hang 4a=ok+5",
            "6a@40+255:canceled 4a@290+5:won = 4a@295",
        ),
        ("he05_aaaa_never", "4a@30", "4a=ok+5", "4a@80+5:won = 4a@85"),
        ("he06_aaaa_empty", "4a@30 end@45", "4a=ok+5", "4a@45+5:won = 4a@50"),
        (
            "he08_aaaa_late",
            "4a@30 6a@180 end@180",
            "4a=hang 6a=ok+5",
            "4a@80+255:canceled 6a@330+5:won = 6a@335",
        ),
        (
            "he22_resolution_delay_and_aaaa_in_one_tick",
            "4a@30 6a@80",
            "6a=ok+5",
            "6a@80+5:won = 6a@85",
        ),
        (
            "he32_aaaa_after_4a_failed",
            "4a@0 6a@400 end@400",
            "4a=refused+5 6a=ok+5",
            "4a@50+5:refused 6a@400+5:won = 6a@405",
        ),
        (
            "he33_a_long_after_all_failed",
            "6a@0 4a@99000",
            "6a=refused+5 4a=ok+5",
            "6a@0+5:refused 4a@99000+5:won = 4a@99005",
        ),
        ("foreign_stream_without_end", "4a@10 close@20", "4a=ok+1", "4a@20+1:won = 4a@21"),
    ]);
}

#[test]
fn results_of_attempts_reach_the_race() {
    check(&[
        (
            "he25_third_wins",
            "6a@0 4a@0 6b@0 end@0",
            "6a=ok+1000 4a=ok+1000 6b=ok+200",
            "6a@0+700:canceled 4a@250+450:canceled 6b@500+200:won = 6b@700",
        ),
        (
            "he26_second_wins",
            "6a@0 4a@0 6b@0 end@0",
            "6a=ok+1000 4a=ok+100",
            "6a@0+350:canceled 4a@250+100:won = 4a@350",
        ),
        (
            "he28_errors_expedite",
            "6a@0 4a@0 6b@0 4b@0 end@0",
            "6a=refused+100 4a=refused+200 6b=hang 4b=ok+250",
            "6a@0+100:refused 4a@100+200:refused 6b@300+500:canceled 4b@550+250:won = 4b@800",
        ),
        (
            "he31_older_fails",
            "6a@0 4a@0 6b@0 end@0",
            "6a=refused+300 4a=hang 6b=ok+5",
            "6a@0+300:refused 4a@250+255:canceled 6b@500+5:won = 6b@505",
        ),
        (
            "he36_instant_failures",
            "6a@0 4a@0 6b@0 end@0",
            "6a=noroute 4a=noroute 6b=noroute",
            "6a@0+0:noroute 4a@0+0:noroute 6b@0+0:noroute = unreachable@0",
        ),
        (
            "he37_no_socket_of_this_family",
            "6a@0 4a@0 6b@0 end@0",
            "6a=noroute 4a=hang 6b=ok+1",
            "6a@0+0:noroute 4a@0+251:canceled 6b@250+1:won = 6b@251",
        ),
        (
            "he38_losers_are_canceled",
            "6a@0 4a@0 6b@0 end@0",
            "6a=ok+600 4a=hang 6b=hang",
            "6a@0+600:won 4a@250+350:canceled 6b@500+100:canceled = 6a@600",
        ),
        (
            "he40_two_in_one_tick",
            "6a@0 4a@0 end@0",
            "6a=ok+300 4a=ok+50",
            "6a@0+300:won 4a@250+50:canceled = 6a@300",
        ),
        (
            "he41_success_beats_the_delay",
            "6a@0 4a@0 end@0",
            "6a=ok+250 4a=ok+1",
            "6a@0+250:won = 6a@250",
        ),
    ]);
}

#[test]
fn a_race_ends_with_its_cause() {
    check(&[
        ("he17_no_address", "end:notfound@25", "", "= dns:NotFound@25"),
        (
            "he18_error_while_the_other_family_is_pending",
            "4a@5 end:timeout@30",
            "4a=refused+1",
            "4a@30+1:refused = refused@31",
        ),
        ("empty_stream", "close@3", "", "= noaddress@3"),
        (
            "he32_connect_error_beats_dns_error",
            "4a@0 end:notfound@900",
            "4a=refused+5",
            "4a@50+5:refused = refused@900",
        ),
        (
            "the_host_itself_speaks_louder_than_a_missing_route",
            "6a@0 4a@0 end@0",
            "6a=noroute 4a=refused+5",
            "6a@0+0:noroute 4a@0+5:refused = refused@5",
        ),
    ]);
    let config = RaceOptions::default().connect_timeout(Duration::from_millis(250));
    check_with(
        &config,
        &[
            ("he20_deadline_during_the_lookup", "6a@300", "", "= timeout@250"),
            ("he21_both_answers_after_the_deadline", "6a@300 4a@310 end@310", "", "= timeout@250"),
            (
                "he57_deadline_and_delay_in_one_tick",
                "6a@0 4a@0 end@0",
                "6a=hang 4a=hang",
                "6a@0+250:canceled = timeout@250",
            ),
            (
                "deadline_is_not_divided",
                "6a@0 4a@0 6b@0 end@0",
                "6a=ok+240",
                "6a@0+240:won = 6a@240",
            ),
        ],
    );
}

/// CO05: when there are no open files left, the addresses are not burnt one after the other.
#[test]
fn co05_out_of_files_keeps_the_list() {
    check(&[
        ("heals", "6a@0 4a@0 end@0", "6a=emfile 4a=ok+5", "6a@0+0:emfile 4a@250+5:won = 4a@255"),
        (
            "fatal_cause_first",
            "6a@0 4a@0 end@0",
            "6a=refused+1 4a=emfile",
            "6a@0+1:refused 4a@1+0:emfile = resources@1",
        ),
    ]);
}

#[test]
fn he56_drop_closes_every_attempt() {
    virtual_time(async {
        let script = Script::new("6a=hang 4a=hang 6b=hang 4b=hang", ConnectOptions::default());
        let open = Rc::clone(&script.open);
        let begin = TokioTimer.now();
        let race = drive(results("6a@0 4a@0 6b@0 4b@0"), script);
        let waited = tokio::time::timeout(Duration::from_secs(5), race).await;
        assert!(waited.is_err());
        assert_eq!(open.get(), 0, "all four are closed");
        assert_eq!(
            TokioTimer.now() - begin,
            Duration::from_secs(5),
            "and the race did not wait for it"
        );
    });
}

/// The caller may keep the future for a while.
#[test]
fn at10_with_the_winner_the_lookup_ends_and_the_losers_are_closed() {
    virtual_time(async {
        let lookup_lives = Rc::new(());
        let of_lookup = Rc::clone(&lookup_lives);
        let lookup = results("6a@0 4a@0").inspect(move |_| drop(Rc::clone(&of_lookup)));
        let script = Script::new("6a=hang 4a=ok+5", ConnectOptions::default());
        let open = Rc::clone(&script.open);
        let watch = ConnectWatch::of_results(&script.options);
        let mut driver = std::pin::pin!(Driver::new(lookup, script, TokioTimer, watch));
        let won = std::future::poll_fn(|cx| driver.as_mut().poll(cx)).await;
        assert_eq!(Rc::strong_count(&lookup_lives), 1, "the lookup is dropped");
        drop(won.expect("4a wins"));
        assert_eq!(open.get(), 0, "6a is closed");
    });
}

/// A stream that is always ready shares its thread with others, and its addresses end.
#[test]
fn an_endless_stream_does_not_hold_the_thread() {
    virtual_time(async {
        let endless = stream::repeat(LookupResult::Address(address("6a")));
        let script = Script::new("6a=ok+0", ConnectOptions::default());
        let race = drive(endless, script);
        let (result, beats) = futures_util::future::join(race, async {
            let mut beats = 0;
            while beats < 100 {
                tokio::task::yield_now().await;
                beats += 1;
            }
            beats
        })
        .await;
        assert_eq!(beats, 100);
        assert!(result.is_ok());
    });
}

#[test]
fn an_address_that_must_not_be_dialled_takes_no_turn() {
    let not_4a = AddressPolicy::default().deny(address("4a").ip().into());
    let options = ConnectOptions::default()
        .socket(SocketOptions::default().local_ipv4(Ipv4Addr::LOCALHOST))
        .policy(not_4a);
    let rows = [
        ("he53_local_address", "6a@0 4b@0 end@0", "4b=ok+5", "4b@0+5:won = 4b@5"),
        ("t15_policy", "4a@0 4b@0 end@0", "4b=ok+5", "4b@0+5:won = 4b@5"),
        ("t15_policy_sees_what_is_dialled", "mapped4a@0 end@0", "", "= denied@0"),
        ("t15_all_denied", "4a@0 6a@0 end:timeout@9", "", "= denied@9"),
        ("he53_no_local_address_at_all", "6a@0 6b@0 end@0", "", "= nolocal@0"),
    ];
    for (rule, lookup, network, expected) in rows {
        let options = options.clone();
        let outcome_text = virtual_time(async {
            let script = Script::new(network, options);
            let result = drive(results(lookup), script).await;
            tell(&result.map(|(stream, info)| (stream.addr, info)))
        });
        assert_eq!(outcome_text, expected, "{rule}");
    }
}

/// The system is asked for as little as the order of attempts needs; and once more for an attempt
/// that taught something, since what it taught holds for that source.
#[test]
fn sources_are_asked_for_when_there_is_an_order_to_find() {
    use crate::happy_eyeballs::AddressOrder::{AsResolved, Rfc6724};
    for (rule, lookup, order, asked) in [
        ("he19_a_literal_has_no_order", "6a@0 end@0", Rfc6724, 0),
        ("each_of_two", "6a@0 4a@0 end@0", Rfc6724, 2 + 1),
        ("one_and_the_family_that_is_missing", "6a@0", Rfc6724, 2),
        ("the_family_that_is_missing_is_asked_for_once", "4a@0 4b@10 6a@20", Rfc6724, 4 + 1),
        ("the_last_one_comes_with_the_end", "4a@0 6a@20 end@20", Rfc6724, 3 + 1),
        ("an_order_that_is_given_needs_none", "4a@0 4b@10 6a@20", AsResolved, 0),
    ] {
        let count = virtual_time(async {
            let options = ConnectOptions::default().race(RaceOptions::default().order(order));
            let script = Script::new("6a=ok+1 4a=ok+1", options);
            let count = Rc::clone(&script.asked);
            drive(results(lookup), script).await.unwrap();
            count.get()
        });
        assert_eq!(count, asked, "{rule}: {lookup}");
    }
}

#[test]
fn at10_an_error_tells_what_was_not_dialled_and_why() {
    let policy = AddressPolicy::default().deny(address("4a").ip().into());
    let options = ConnectOptions::default().policy(policy);
    let result = virtual_time(async {
        let script = Script::new("", options);
        drive(results("4a@0 end@0"), script).await
    });
    let Err(error) = result else { panic!("nothing may be dialled") };
    assert!(error.is_denied() && !error.is_dns() && !error.is_invalid_target(), "{error:?}");
    let (line, lines) = (error.to_string(), format!("{error:#}"));
    assert!(!line.contains('\n') && lines.starts_with(&line) && lines.contains("\n  192.0.2.10"));
    let skipped: Vec<_> = error.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(skipped, ["192.0.2.10:443: not dialled, denied by a rule of the caller's"]);
}
