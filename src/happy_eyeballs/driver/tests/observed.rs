//! The events that the observer of a race receives.

use std::sync::Mutex;

use super::script::name_of;
use super::*;
use crate::observer::{ConnectEvent, ConnectEventKind, Observer};

/// Each event as a line, with its time in milliseconds.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Observer for Lines {
    fn connect_event(&self, event: &ConnectEvent<'_>) {
        let what = match &event.kind {
            ConnectEventKind::Started => "started".to_owned(),
            ConnectEventKind::Skipped(skipped) => format!("skipped {}", name_of(skipped.addr)),
            ConnectEventKind::AttemptStarted(addr) => format!("start {}", name_of(*addr)),
            ConnectEventKind::TransportUp(addr) => format!("up {}", name_of(*addr)),
            ConnectEventKind::AttemptEnded(attempt) => {
                let (name, lived) = (name_of(attempt.addr), attempt.lived.as_millis());
                format!("end {name} {} +{lived}", attempt.outcome)
            }
            ConnectEventKind::Connected(addr) => format!("connected {}", name_of(*addr)),
            ConnectEventKind::Failed(kind, _) => format!("failed {kind:?}"),
            ConnectEventKind::Dropped => "dropped".to_owned(),
        };
        self.0.lock().unwrap().push(format!("{} {what}", event.at.as_millis()));
    }
}

/// Plays a race that a timeout around it drops after `drop_after`.
fn told(lookup: &str, network: &str, drop_after: Option<u64>) -> Vec<String> {
    let lines = Arc::new(Lines::default());
    let denied = AddressPolicy::default().deny(script::address("6z").ip().into());
    let options = ConnectOptions::default().observer(Arc::clone(&lines)).policy(denied);
    virtual_time(async {
        let race = drive(results(lookup), Script::new(network, options));
        let timeout = drop_after.map_or(Duration::MAX, Duration::from_millis);
        let _ = tokio::time::timeout(timeout, race).await;
    });
    std::mem::take(&mut lines.0.lock().unwrap())
}

#[test]
fn cr09_an_observer_is_told_of_each_attempt_as_it_happens() {
    assert_eq!(
        told("6z@0 6a@0 4a@0 6b@0 end@0", "6a=alert+20+40 4a=hang 6b=ok+10", None),
        [
            "0 started",
            "0 skipped 6z",
            "0 start 6a",
            "20 up 6a",
            "40 end 6a invalid data +40",
            "40 start 4a",
            "290 start 6b",
            "300 end 4a canceled +260",
            "300 end 6b connected +10",
            "300 connected 6b",
        ]
    );
    assert_eq!(
        told("6a@5 end@5", "6a=refused+10", None),
        ["0 started", "5 start 6a", "15 end 6a connection refused +10", "15 failed Refused",]
    );
}

#[test]
fn cr09_a_race_that_a_timeout_drops_tells_what_it_had() {
    assert_eq!(
        told("6a@0 4a@0 6b@0", "6a=refused+10 4a=hang 6b=hang", Some(400)),
        [
            "0 started",
            "0 start 6a",
            "10 end 6a connection refused +10",
            "10 start 4a",
            "260 start 6b",
            "400 end 4a canceled +390",
            "400 end 6b canceled +140",
            "400 dropped",
        ]
    );
    assert_eq!(told("6a@500", "", Some(100)), ["0 started", "100 dropped"]);
}

/// No `Dropped` comes of a race that was never polled, or that has ended.
#[test]
fn cr09_each_race_has_one_beginning_and_one_end() {
    for (network, drop_after) in [("6a=ok+1", None), ("6a=refused+1", None), ("6a=hang", Some(1))] {
        let lines = told("6a@0 end@0", network, drop_after);
        let is_end = |line: &&String| {
            [" connected", " failed", " dropped"]
                .iter()
                .any(|end| line.contains(end) && !line.contains(" end "))
        };
        assert_eq!(lines.iter().filter(is_end).count(), 1, "{lines:?}");
        assert!(is_end(&lines.last().unwrap()), "{lines:?}");
    }
    let lines = Arc::new(Lines::default());
    let script = Script::new("", ConnectOptions::default().observer(Arc::clone(&lines)));
    virtual_time(async { drop(drive(results("6a@0"), script)) });
    assert!(lines.0.lock().unwrap().is_empty());
}
