//! RFC 8305 in virtual time, scenario by scenario.
//!
//! Each scenario carries its number (`he04`). Some do not concern this machine:
//!
//! - he01, he02: which queries are sent, and in which order: the resolver's tests.
//! - he13 to he16, he60 to he65: service bindings and NAT64, which the crate does not have.
//! - he51: interleaving alone, and he66 to he77: RFC 6724: the tests of `order.rs`.
//! - he56: what a dropped race leaves behind is the driver's: its sockets.
//! - he58, he59, co04: answers that expire or go away while the race runs: a lookup has no such
//!   item.
//! - he78 to he90: real sockets: the driver's tests.

use super::super::options::AddressOrder;
use super::super::order::PolicyTable;
use super::*;
use script::{play, scenario};

mod closed_form;
mod random;
mod script;
mod stories;

const MS: Duration = Duration::from_millis(1);

/// Section 3: when attempts may begin though the lookup is still running.
#[test]
fn the_gate() {
    play(&[
        scenario("he03: IPv6 does not wait for the A answer", "30 6a", "", "30 6a; pending"),
        scenario(
            "he04: AAAA within the Resolution Delay",
            "30 4a; 40 6a end",
            "",
            "40 6a; 290 4a; pending",
        ),
        scenario("he05: AAAA never comes", "30 4a", "", "80 4a; pending"),
        scenario("he06: AAAA is empty", "30 4a; 45 end", "", "45 4a; pending"),
        scenario(
            "he07: AAAA fails, which is the same",
            "30 4a; 45 end",
            "4a ok 5",
            "45 4a; 50 won 4a",
        ),
        scenario(
            "he08: AAAA after the delay disturbs nothing",
            "30 4a; 180 6a end",
            "",
            "80 4a; 330 6a; pending",
        ),
        scenario("he10: AAAA was empty before", "40 4a end", "", "40 4a; pending"),
        scenario(
            "he11: more IPv4 does not rearm the delay",
            "30 4a; 50 4b",
            "",
            "80 4a; 330 4b; pending",
        ),
        scenario("he17: nothing at all", "20 end", "", "20 lost"),
        scenario("he18: one family failed, the other is pending", "90 end", "", "90 lost"),
        scenario("he18: and that one comes", "90 6a end", "6a ok 9", "90 6a; 99 won 6a"),
        scenario("he19: an IP literal", "0 4a end", "4a fail 7", "0 4a; 7 lost"),
        scenario(
            "he22: AAAA in the instant the delay ends",
            "0 4a; 50 6a",
            "",
            "50 6a; 300 4a; pending",
        ),
        scenario("he23: no wait wanted", "5 4a", "", "5 4a; pending")
            .with(|config| config.resolution_delay(Duration::ZERO)),
        scenario("he23: no wait, both in one instant", "5 4a 6a", "", "5 6a; 255 4a; pending")
            .with(|config| config.resolution_delay(Duration::ZERO)),
    ]);
}

/// Which family is preferred follows from RFC 6724, and never from "IPv6 first".
#[test]
fn the_preferred_family() {
    let ipv4_first = |config: RaceOptions| {
        config.policy_table(PolicyTable::rfc6724().row("::ffff:0:0".parse().unwrap(), 96, 100, 4))
    };
    let tie = |config: RaceOptions| {
        config.policy_table(PolicyTable::rfc6724().row("::ffff:0:0".parse().unwrap(), 96, 40, 4))
    };
    play(&[
        scenario(
            "he12: no route for IPv6, A follows",
            "30 6a!; 40 4a end",
            "",
            "40 4a; 290 6a; pending",
        ),
        scenario(
            "he12: no route for IPv6, A is there, more may come",
            "30 6a!; 40 4a",
            "",
            "40 4a; 290 6a; pending",
        ),
        scenario("he12: no route for IPv6, no A", "30 6a!; 40 end", "", "40 6a; pending"),
        scenario("he12: no route for IPv6, A never comes", "30 6a!", "", "80 6a; pending"),
        scenario(
            "he12: no route for IPv6, known before",
            "30 4a; 40 6a! end",
            "",
            "30 4a; 280 6a; pending",
        )
        .on_ipv4_host(),
        scenario(
            "he12: the table prefers IPv4, A follows",
            "30 6a; 40 4a end",
            "",
            "40 4a; 290 6a; pending",
        )
        .with(ipv4_first),
        scenario("he12: the table prefers IPv4, no A", "30 6a; 40 end", "", "40 6a; pending")
            .with(ipv4_first),
        scenario("he12: the table prefers IPv4, A first", "30 4a", "", "30 4a; pending")
            .with(ipv4_first),
        scenario(
            "families that tie: the first to come leads",
            "30 4a; 40 6a end",
            "",
            "30 4a; 280 6a; pending",
        )
        .with(tie),
        scenario(
            "families that tie, both in one instant",
            "30 4a 6a end",
            "",
            "30 4a; 280 6a; pending",
        )
        .with(tie),
        scenario(
            "families that tie, the other way round",
            "30 6a 4a end",
            "",
            "30 6a; 280 4a; pending",
        )
        .with(tie),
        scenario("he12: no route for IPv4", "30 4a!; 45 6a", "", "45 6a; 295 4a; pending"),
        scenario(
            "he76: without a route last, but tried",
            "0 6a! 6b! 4a 4b end",
            "",
            "0 4a; 250 4b; 500 6a; 750 6b; pending",
        ),
        scenario(
            "as resolved: nothing is waited for",
            "30 4a; 40 6a end",
            "",
            "30 4a; 280 6a; pending",
        )
        .with(|config| config.order(AddressOrder::AsResolved)),
        scenario(
            "as resolved: first come, first attempted",
            "30 4a 4b 6b 6a",
            "",
            "30 4a; 280 6b; 530 4b; 780 6a; pending",
        )
        .with(|config| config.order(AddressOrder::AsResolved)),
    ]);
}

/// Section 5: one attempt at a time, and none disturbs another.
#[test]
fn pacing() {
    let one_second = |config: RaceOptions| config.connection_attempt_delay(1000 * MS);
    play(&[
        scenario("he25: the third is quickest", "0 6a 4a 6b end", "6a ok 1000; 4a ok 1000; 6b ok 200",
            "0 6a; 250 4a; 500 6b; 700 cancel 6a; 700 cancel 4a; 700 won 6b"),
        scenario("he26: the second is quick, the third never starts", "0 6a 4a 6b end", "6a ok 1000; 4a ok 100",
            "0 6a; 250 4a; 350 cancel 6a; 350 won 4a"),
        scenario("he27: the first wins though it is slow", "0 6a 4a 6b end", "6a ok 1000; 4a ok 1000; 6b ok 200",
            "0 6a; 450 4a; 900 6b; 1000 cancel 4a; 1000 cancel 6b; 1000 won 6a")
            .with(|config| config.connection_attempt_delay(450 * MS)),
        scenario("he28: failures expedite", "0 6a 4a 6b 4b end", "6a fail 100; 4a fail 200; 6b ok 10000; 4b ok 250",
            "0 6a; 100 4a; 300 6b; 550 4b; 800 cancel 6b; 800 won 4b"),
        scenario("he29: all fail", "0 6a 4a 6b 4b end", "6a fail 100; 4a fail 200; 6b fail 10000; 4b fail 250",
            "0 6a; 100 4a; 300 6b; 550 4b; 10300 lost"),
        scenario("he30: three succeed in one instant", "0 6a 4a 6b 4b 6c end",
            "6a fail 500; 4a ok 10000; 6b ok 9000; 4b ok 8000; 6c fail 100",
            "0 6a; 500 4a; 1500 6b; 2500 4b; 3500 6c; 10500 cancel 6b; 10500 cancel 4b; 10500 won 4a").with(one_second),
        scenario("he31: an older one fails, the newer is young", "0 6a 4a 6b end", "6a fail 300", "0 6a; 250 4a; 500 6b; pending"),
        scenario("he31: the newest fails", "0 6a 4a 6b end", "4a fail 50", "0 6a; 250 4a; 300 6b; pending"),
        scenario("he38: success cancels the others, in order", "0 6a 4a 6b", "6a ok 600",
            "0 6a; 250 4a; 500 6b; 600 cancel 4a; 600 cancel 6b; 600 won 6a"),
        scenario("he39: results of those canceled are ignored", "0 6a 4a 6b end", "6a ok 600; 4a ok 400; 6b fail 300",
            "0 6a; 250 4a; 500 6b; 600 cancel 4a; 600 cancel 6b; 600 won 6a"),
        scenario("he41: success in the instant of the timer", "0 6a 4a end", "6a ok 250", "0 6a; 250 won 6a"),
        scenario("he49: both of two fail", "0 4a 6a end", "6a fail 250; 4a fail 250", "0 6a; 150 4a; 400 lost")
            .with(|config| config.connection_attempt_delay(150 * MS)),
        scenario("he57: the deadline in the instant of the timer", "0 6a 4a end", "", "0 6a; 250 cancel 6a; 250 timed out")
            .with(|config| config.connect_timeout(250 * MS)),
    ]);
}

/// Section 3, and "DNS answer changes" of version 3: answers while attempts run.
#[test]
fn late_answers() {
    play(&[
        scenario(
            "he32: 4a failed, AAAA pending, then there",
            "0 4a; 900 6a end",
            "4a fail 10",
            "50 4a; 900 6a; pending",
        ),
        scenario(
            "he32: 4a failed, AAAA pending, then empty",
            "0 4a; 900 end",
            "4a fail 10",
            "50 4a; 900 lost",
        ),
        scenario(
            "he33: half an hour later",
            "0 6a 6b 6c; 1800000 4a 4b end",
            "",
            "0 6a; 250 6b; 500 6c; 1800000 4a; 1800250 4b; pending",
        ),
        scenario(
            "he34: the complete list is sorted anew",
            "0 4a 4b 4c 4d; 600 6a 6b 6c 6d 6e end",
            "",
            "50 4a; 300 4b; 550 4c; 800 6a; 1050 6b; 1300 6c; 1550 6d; 1800 4d; 2050 6e; pending",
        )
        .with(|config| config.max_connection_attempts_alive(20)),
        scenario(
            "he35: IPv4 goes before the second IPv6",
            "0 6a 6b; 100 4a end",
            "",
            "0 6a; 250 4a; 500 6b; pending",
        ),
        scenario(
            "co06: silent address, late family",
            "0 4a; 3000 6a",
            "",
            "50 4a; 3000 6a; pending",
        ),
        scenario(
            "a duplicate is no news",
            "0 6a; 100 6a; 300 6a end",
            "6a fail 400",
            "0 6a; 400 lost",
        ),
    ]);
}

#[test]
fn failures_that_are_no_answer() {
    let strict = |config: RaceOptions| config.fail_fast(FailFast::AfterMinimum);
    play(&[
        scenario(
            "he37: no IPv6 sockets",
            "0 6a 4a 6b 4b end",
            "6a unsent; 6b unsent; 4b ok 100",
            "0 6a; 0 4a; 1000 6b; 1000 4b; 1100 cancel 4a; 1100 won 4b",
        )
        .with(|config| config.connection_attempt_delay(1000 * MS)),
        scenario(
            "he37: nothing was sent, so no minimum applies",
            "0 6a 4a end",
            "6a unsent",
            "0 6a; 0 4a; pending",
        )
        .with(strict),
        scenario(
            "he53: bound to IPv4, IPv6 takes no turn",
            "0 4a 6a! 4b end",
            "6a unsent; 4b fail 9; 4a fail 300",
            "0 4a; 250 4b; 259 6a; 300 lost",
        )
        .on_ipv4_host(),
        scenario(
            "co05: out of files, the list is not burnt",
            "0 6a 4a 6b end",
            "6a exhausted; 4a exhausted; 6b ok 5",
            "0 6a; 250 4a; 500 6b; 505 won 6b",
        ),
        scenario("co05: out of files at the last", "0 6a end", "6a exhausted", "0 6a; 0 lost"),
        scenario("he46: failed within 3 ms", "0 6a 4a end", "6a fail 3", "0 6a; 3 4a; pending"),
        scenario(
            "he46: failed within 3 ms, to the letter",
            "0 6a 4a end",
            "6a fail 3",
            "0 6a; 10 4a; pending",
        )
        .with(strict),
        scenario(
            "he46: failed after the minimum",
            "0 6a 4a end",
            "6a fail 30",
            "0 6a; 30 4a; pending",
        )
        .with(strict),
    ]);
}

#[test]
fn the_delay() {
    let growing = |config: RaceOptions| {
        config.connection_attempt_delay(50 * MS).connection_attempt_delay_growth(2)
    };
    play(&[
        scenario(
            "he44: the delay doubles",
            "0 6a 6b 6c 6d 6e end",
            "",
            "0 6a; 50 6b; 150 6c; 350 6d; 750 6e; pending",
        )
        .with(growing),
        scenario(
            "he44: a failure does not make it grow",
            "0 6a 6b 6c 6d end",
            "6b fail 20",
            "0 6a; 50 6b; 70 6c; 170 6d; pending",
        )
        .with(growing),
        scenario("he45: no delay below 10 ms", "0 6a 6b end", "", "0 6a; 10 6b; pending")
            .with(|config| config.connection_attempt_delay(MS)),
        scenario("he45: none above 2 s", "0 6a 6b end", "", "0 6a; 2000 6b; pending")
            .with(|config| config.connection_attempt_delay(3000 * MS)),
        scenario(
            "he45: nor by growing",
            "0 6a 6b 6c 6d end",
            "",
            "0 6a; 1500 6b; 3500 6c; 5500 6d; pending",
        )
        .with(|config| {
            config.connection_attempt_delay(1500 * MS).connection_attempt_delay_growth(2)
        }),
    ]);
}

#[test]
fn limits() {
    play(&[
        scenario("he47: at most six alive", "0 6a 6b 6c 6d 6e 6f 6g 6h 4a end",
            "6a fail 500; 6b fail 500; 6c fail 500; 6d fail 500; 6e fail 500; 6f fail 500; 6g fail 500; 6h fail 500; 4a fail 500",
            "0 6a; 20 4a; 40 6b; 60 6c; 80 6d; 100 6e; 500 6f; 520 6g; 540 6h; 1040 lost")
            .with(|config| config.connection_attempt_delay(20 * MS)),
        scenario("he48: four alive", "0 6a 6b 6c 4a end", "6a fail 400; 6b fail 400; 6c fail 400; 4a fail 400",
            "0 6a; 50 4a; 100 6b; 150 6c; 550 lost").with(|config| config.connection_attempt_delay(50 * MS)),
        scenario("one alive is one after the other", "0 6a 4a end", "6a fail 2900; 4a fail 1", "0 6a; 2900 4a; 2901 lost")
            .with(|config| config.max_connection_attempts_alive(1)),
        scenario("cr05: six silent addresses before a healthy one", "0 6a 6b 6c 6d 6e 6f 6g end", "6g ok 10",
            "0 6a; 250 6b; 500 6c; 750 6d; 1000 6e; 1250 6f; 3000 6g; 3010 cancel 6a; 3010 cancel 6b; \
             3010 cancel 6c; 3010 cancel 6d; 3010 cancel 6e; 3010 cancel 6f; 3010 won 6g"),
        scenario("cr05: what counts no more may still win", "0 6a 4a end", "6a ok 3500", "0 6a; 3000 4a; 3500 cancel 4a; 3500 won 6a")
            .with(|config| config.max_connection_attempts_alive(1)),
        scenario("cr05: slots come back in the order in which they were taken", "0 6a 6b 6c 6d end", "6b fail 1000",
            "0 6a; 250 6b; 1250 6c; 3000 6d; pending").with(|config| config.max_connection_attempts_alive(2)),
        scenario("cr05: an attempt has its time, and the next need not wait", "0 6a 4a 6b end", "6b ok 5",
            "0 6a; 100 expire 6a; 100 4a; 200 expire 4a; 200 6b; 205 won 6b")
            .with(|config| config.attempt_timeout(100 * MS)),
        scenario("cr05: a later attempt keeps its delay", "0 6a 4a 6b end", "",
            "0 6a; 250 4a; 300 expire 6a; 500 6b; 550 expire 4a; 800 expire 6b; 800 lost")
            .with(|config| config.attempt_timeout(300 * MS)),
        scenario("cr05: a connection in the last instant counts", "0 6a end", "6a ok 100", "0 6a; 100 won 6a")
            .with(|config| config.attempt_timeout(100 * MS)),
        scenario("co01: no more than allowed in total", "0 6a 6b 6c 4a end", "6a fail 1; 4a fail 1; 6b fail 1",
            "0 6a; 1 4a; 2 6b; 3 lost").with(|config| config.max_connection_attempts(3)),
        scenario("co01: half is kept for the family to come", "0 6a 6b 6c 6d; 100 4a 4b end",
            "6a fail 1; 6b fail 1; 4a fail 1; 4b fail 1; 6c fail 1",
            "0 6a; 1 6b; 100 4a; 101 4b; 102 lost").with(|config| config.max_connection_attempts(4)),
        scenario("co01: the family does not come", "0 6a 6b 6c 6d; 100 end", "6a fail 1; 6b fail 1; 6c fail 1; 6d fail 1",
            "0 6a; 1 6b; 100 6c; 101 6d; 102 lost").with(|config| config.max_connection_attempts(4)),
        scenario("co01: not even half of one", "0 4a; 100 6a", "4a fail 1", "50 4a; 51 lost")
            .with(|config| config.max_connection_attempts(1)),
        scenario("he20: the deadline before the Resolution Delay", "0 4a; 100 6a end", "", "49 timed out")
            .with(|config| config.connect_timeout(49 * MS)),
        scenario("he21: the deadline during the lookup", "40 4a; 45 6a end", "", "30 timed out")
            .with(|config| config.connect_timeout(30 * MS)),
        scenario("he52: the time is not divided among addresses", "0 6a 6b 6c end", "6a ok 11999",
            "0 6a; 250 6b; 500 6c; 11999 cancel 6b; 11999 cancel 6c; 11999 won 6a")
            .with(|config| config.connect_timeout(12000 * MS)),
        scenario("he52: until it is over", "0 6a 6b 6c end", "",
            "0 6a; 250 6b; 500 6c; 12000 cancel 6a; 12000 cancel 6b; 12000 cancel 6c; 12000 timed out")
            .with(|config| config.connect_timeout(12000 * MS)),
        scenario("a success in the instant of the deadline counts", "0 6a end", "6a ok 100", "0 6a; 100 won 6a")
            .with(|config| config.connect_timeout(100 * MS)),
        scenario("so does the last failure", "0 6a end", "6a fail 100", "0 6a; 100 lost")
            .with(|config| config.connect_timeout(100 * MS)),
        scenario("no time at all", "0 6a end", "", "0 timed out").with(|config| config.connect_timeout(Duration::ZERO)),
        scenario("more time than the clock can count", "0 6a end", "", "0 6a; pending")
            .with(|config| config.connect_timeout(Duration::MAX)),
    ]);
}
