use super::*;

const PATIENCE: Duration = Duration::from_millis(10);
const RTT: Duration = Duration::from_millis(1);

/// A pacer whose window is full, and when that was.
fn full() -> (Pacer, Instant) {
    let (mut pacer, now) = (Pacer::default(), Instant::now());
    pacer.note_sends(INITIAL_WINDOW as usize, now);
    assert!(!pacer.has_room(SendRank::First));
    (pacer, now)
}

#[test]
fn each_answer_makes_room_for_two_until_the_threshold() {
    let (mut pacer, now) = full();
    pacer.handle_response(SendNumber(0), true, now + RTT);
    assert_eq!((pacer.window(), pacer.unanswered), (INITIAL_WINDOW + 1, 63));
    for number in 1..64 {
        pacer.handle_response(SendNumber(number), true, now + RTT * 3);
    }
    assert_eq!(pacer.window(), 86, "half of the window was not used any more");
}

#[test]
fn past_the_threshold_a_queue_lets_the_window_grow_by_one_a_round_trip() {
    let mut pacer = Pacer { window: 128, least_rtt: Some(RTT), ..Pacer::default() };
    let now = Instant::now();
    pacer.note_sends(256, now);
    for number in 0..128 {
        pacer.handle_response(SendNumber(number), true, now + 3 * RTT);
    }
    assert_eq!(pacer.window(), 129);
}

#[test]
fn a_long_path_without_a_queue_lets_it_double_on() {
    let mut pacer = Pacer { window: 128, least_rtt: Some(RTT), ..Pacer::default() };
    let now = Instant::now();
    pacer.note_sends(256, now);
    for number in 0..128 {
        pacer.handle_response(SendNumber(number), true, now + RTT);
    }
    assert_eq!(pacer.window(), 256);
}

#[test]
fn a_windows_worth_of_losses_closes_it_once() {
    let (mut pacer, now) = full();
    pacer.handle_loss(SendNumber(3), now);
    pacer.handle_loss(SendNumber(4), now);
    assert_eq!(pacer.window(), 44);
    let next = pacer.note_sends(1, now);
    pacer.handle_loss(next, now);
    assert_eq!(pacer.window(), 30);
    for _ in 0..20 {
        let next = pacer.note_sends(1, now);
        pacer.handle_loss(next, now);
    }
    assert_eq!(pacer.window(), MIN_WINDOW);
}

#[test]
fn what_has_been_silent_for_long_counts_no_more() {
    let (mut pacer, now) = full();
    pacer.handle_response(SendNumber(5), true, now + RTT);
    let (nearly, late) = (now + PATIENCE / 2, now + PATIENCE);
    assert_eq!(pacer.poll_timeout(PATIENCE), Some(late));
    pacer.handle_timeout(PATIENCE, nearly);
    assert_eq!(pacer.unanswered, 63);
    pacer.handle_timeout(PATIENCE, late);
    assert_eq!((pacer.unanswered, pacer.poll_timeout(PATIENCE)), (0, None));
    // Its number was given up with it.
    pacer.handle_response(SendNumber(7), true, late);
    assert_eq!((pacer.unanswered, pacer.note_sends(2, late)), (0, SendNumber(64)));
}

/// Ten thousand names that hang are out within some waits; a nameserver that answers others is
/// not sent more for those that it leaves unanswered.
#[test]
fn silence_opens_the_window_of_a_nameserver_that_says_nothing_at_all() {
    let (mut silent, now) = full();
    silent.handle_timeout(PATIENCE, now + PATIENCE);
    assert_eq!(silent.window(), 2 * INITIAL_WINDOW);
    let (mut answering, now) = full();
    answering.handle_response(SendNumber(0), true, now + RTT);
    answering.handle_timeout(PATIENCE, now + PATIENCE);
    assert_eq!(answering.window(), INITIAL_WINDOW + 1);
}

#[test]
fn resends_leave_half_of_the_window_to_first_sends() {
    let (mut pacer, now) = (Pacer::default(), Instant::now());
    pacer.note_sends(INITIAL_WINDOW as usize / 2, now);
    assert!(pacer.has_room(SendRank::First) && !pacer.has_room(SendRank::Resend));
}

#[test]
fn an_idle_window_does_not_grow() {
    let (mut pacer, now) = (Pacer::default(), Instant::now());
    for _ in 0..1000 {
        let number = pacer.note_sends(1, now);
        pacer.handle_response(number, true, now + RTT);
    }
    assert_eq!(pacer.window(), INITIAL_WINDOW);
}
