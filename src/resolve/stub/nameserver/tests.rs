use super::*;

fn nameserver() -> Nameserver {
    Nameserver::new(([127, 0, 0, 1], 53).into(), None)
}

#[test]
fn an_unknown_nameserver_waits_a_quarter_of_a_second_for_a_resend() {
    assert_eq!(nameserver().resend_delay(), Duration::from_millis(250));
    assert!(!nameserver().is_proven());
}

#[test]
fn the_first_sample_sets_the_deviation_to_half_of_it() {
    let mut server = nameserver();
    server.handle_response(Some(Duration::from_millis(200)), true);
    assert_eq!(server.resend_delay(), Duration::from_millis(600), "200 + 4 * 100");
}

#[test]
fn delays_stay_within_their_bounds() {
    let mut quick = nameserver();
    quick.handle_response(Some(Duration::from_micros(50)), true);
    assert_eq!((quick.resend_delay(), quick.late_delay()), (MIN_RESEND_DELAY, MIN_LATE_DELAY));
    let mut slow = nameserver();
    slow.handle_response(Some(Duration::from_secs(4)), true);
    assert_eq!((slow.resend_delay(), slow.late_delay()), (MAX_RESEND_DELAY, MAX_RESEND_DELAY));
}

#[test]
fn two_failures_demote_until_the_next_response_and_allow_a_probe_after_a_pause() {
    let (mut server, now) = (nameserver(), Instant::now());
    server.handle_response(Some(Duration::from_millis(1)), true);
    server.handle_failure(now);
    assert!(server.is_proven() && server.is_late());
    server.handle_failure(now);
    assert!(!server.is_proven());
    assert!(!server.start_probe(now + PROBE_DELAY.mul_f32(0.99)));
    assert!(server.start_probe(now + PROBE_DELAY));
    assert!(!server.start_probe(now + PROBE_DELAY), "one lookup probes, the others do not");
    server.handle_response(Some(Duration::from_millis(1)), true);
    assert!(server.is_proven());
}

/// What it was sent counts as on the way for milliseconds, and a full table lasts for longer.
#[test]
fn rr17_a_load_is_over_a_second_after_it() {
    let (mut server, now) = (nameserver(), Instant::now());
    assert!(!server.is_under_load(now));
    let number = server.note_udp_sends(20, now);
    server.handle_overload(number, now);
    let later = now + Duration::from_millis(900);
    server.expire_sends(later);
    assert!(server.is_under_load(later));
    server.handle_overload(number.plus(1), later);
    assert!(!server.is_under_load(now + Duration::from_secs(1)), "a refusal is no load");
    server.set_waiting([1, 0]);
    assert!(server.is_under_load(now + Duration::from_secs(1)));
}

#[test]
fn disabled_edns_is_tried_again_after_a_while() {
    let (mut server, now) = (nameserver(), Instant::now());
    assert!(server.speaks_edns(now));
    server.handle_answer_without_edns(true, now);
    assert!(!server.speaks_edns(now));
    assert!(server.speaks_edns(now + EDNS_DISABLED_PERIOD));
}

/// RFC 6298 section 2.3: an eighth of each sample, and a quarter of its deviation.
#[test]
fn at10_round_trips_are_smoothed() {
    let mut server = nameserver();
    server.handle_response(Some(Duration::from_millis(80)), true);
    assert_eq!(server.rtt, Some((Duration::from_millis(80), Duration::from_millis(40))));
    server.handle_response(Some(Duration::from_millis(160)), true);
    assert_eq!(server.rtt, Some((Duration::from_millis(90), Duration::from_millis(50))));
    assert_eq!(server.resend_delay(), Duration::from_millis(90 + 4 * 50));
    server.handle_response(None, true);
    assert_eq!(server.rtt, Some((Duration::from_millis(90), Duration::from_millis(50))));
}

/// It was reconfigured, or another machine answers under its address.
#[test]
fn at10_a_nameserver_that_refuses_edns_does_not_know_it_any_more() {
    let (mut server, now) = (nameserver(), Instant::now());
    server.handle_response(Some(Duration::from_millis(1)), true);
    assert!(server.knows_edns());
    server.handle_answer_without_edns(true, now);
    assert!(!server.knows_edns());
    let later = now + EDNS_DISABLED_PERIOD;
    server.handle_answer_without_edns(false, later);
    assert!(!server.speaks_edns(later), "silence is a sign again");
}

#[test]
fn silence_after_edns_is_blamed_on_edns_only_if_it_never_worked() {
    let (mut server, now) = (nameserver(), Instant::now());
    server.handle_response(Some(Duration::from_millis(1)), true);
    server.handle_answer_without_edns(false, now);
    assert!(server.speaks_edns(now), "a packet was lost");
    let mut behind_a_filter = nameserver();
    behind_a_filter.handle_response(Some(Duration::from_millis(1)), false);
    behind_a_filter.handle_answer_without_edns(false, now);
    assert!(!behind_a_filter.speaks_edns(now));
}

#[test]
fn three_questions_in_another_case_have_it_asked_plainly_and_ten_minutes_later_three_more() {
    let mut nameserver = nameserver();
    let mut now = Instant::now();
    for _ in 0..3 {
        for _ in 0..2 {
            nameserver.handle_case_changed(now);
            assert!(nameserver.keeps_case(now));
        }
        nameserver.handle_case_changed(now);
        assert!(!nameserver.keeps_case(now));
        now += Duration::from_secs(599);
        assert!(!nameserver.keeps_case(now));
        now += Duration::from_secs(1);
        assert!(nameserver.keeps_case(now));
    }
}

/// Its response to a query that was sent before the others were answered.
#[test]
fn one_that_keeps_the_case_after_all_is_asked_in_mixed_case() {
    let mut nameserver = nameserver();
    let now = Instant::now();
    (0..3).for_each(|_| nameserver.handle_case_changed(now));
    nameserver.handle_case_kept();
    assert!(nameserver.keeps_case(now));
    (0..2).for_each(|_| nameserver.handle_case_changed(now));
    assert!(nameserver.keeps_case(now), "the count has begun anew");
}
