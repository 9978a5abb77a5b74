//! What an error says to a person and to a program.

use super::*;
use crate::TargetError;
use crate::happy_eyeballs::report::{Info, Reporter};
use crate::happy_eyeballs::{AttemptStage, ConnectInfo};

fn failed(addr: &str, kind: io::ErrorKind) -> ConnectionAttempt {
    let error = AttemptError::new(AttemptStage::Connect, kind.into());
    ConnectionAttempt {
        transport_up: None,
        addr: addr.parse().unwrap(),
        started: Duration::ZERO,
        lived: Duration::from_millis(5),
        outcome: AttemptOutcome::Failed(error),
    }
}

fn lost(attempts: Vec<ConnectionAttempt>, lookup: Result<(), LookupError>) -> Report<AttemptError> {
    Report {
        end: End::Lost,
        attempts,
        skipped: Vec::new(),
        ignored: 0,
        lookup: Some(lookup),
        elapsed: Duration::from_millis(20),
    }
}

/// The predicates that hold, by name.
fn predicates(error: &ConnectError) -> Vec<&'static str> {
    let all = [
        ("timeout", error.is_timeout()),
        ("refused", error.is_refused()),
        ("unreachable", error.is_unreachable()),
        ("dns", error.is_dns()),
        ("denied", error.is_denied()),
        ("invalid target", error.is_invalid_target()),
        ("out of resources", error.is_out_of_resources()),
        ("temporary", error.is_temporary()),
    ];
    all.iter().filter(|(_, holds)| *holds).map(|(name, _)| *name).collect()
}

#[test]
fn at10_each_cause_has_its_line_and_its_predicates() {
    let attempt = |kind| vec![failed("192.0.2.1:80", kind)];
    let skipped = SkippedAddress {
        addr: "[2001:db8::1]:80".parse().unwrap(),
        reason: SkipReason::NoLocalAddress,
    };
    let invalid = TargetError::NoPort;
    for (report, holds, line) in [
        (
            lost(attempt(io::ErrorKind::ConnectionRefused), Ok(())),
            vec!["refused", "temporary"],
            "refused by 192.0.2.1:80 (1 attempt in 20 ms)",
        ),
        (
            lost(attempt(io::ErrorKind::NetworkUnreachable), Ok(())),
            vec!["unreachable", "temporary"],
            "unreachable, 192.0.2.1:80 (1 attempt in 20 ms)",
        ),
        (
            lost(attempt(io::ErrorKind::TimedOut), Ok(())),
            vec!["timeout", "temporary"],
            "no answer from 192.0.2.1:80 (1 attempt in 20 ms)",
        ),
        (
            lost(attempt(io::ErrorKind::OutOfMemory), Ok(())),
            vec!["out of resources", "temporary"],
            "out of open files, local ports or memory, 192.0.2.1:80 (1 attempt in 20 ms)",
        ),
        (
            lost(attempt(io::ErrorKind::ConnectionReset), Ok(())),
            vec!["temporary"],
            "connect failed, 192.0.2.1:80 (1 attempt in 20 ms)",
        ),
        (lost(Vec::new(), Ok(())), vec!["temporary"], "the results held no address"),
        (
            lost(Vec::new(), Err(LookupErrorKind::NotFound.into())),
            vec!["dns"],
            "lookup failed: the name does not exist",
        ),
        (
            lost(Vec::new(), Err(LookupErrorKind::Timeout.into())),
            vec!["timeout", "dns", "temporary"],
            "lookup failed: no nameserver answered in time",
        ),
        (
            lost(Vec::new(), Err(LookupErrorKind::PolicyDenied.into())),
            vec!["denied"],
            "no address may be dialled, the address policy denies every address",
        ),
        (
            Report { skipped: vec![skipped], ..lost(Vec::new(), Ok(())) },
            vec![],
            "no address may be dialled ([2001:db8::1]:80: not dialled, no local address of its family)",
        ),
        (
            Report { end: End::TimedOut, ..lost(Vec::new(), Ok(())) },
            vec!["timeout", "temporary"],
            "no connection within 20 ms",
        ),
        (
            Report { end: End::InvalidTarget(invalid), lookup: None, ..lost(Vec::new(), Ok(())) },
            vec!["invalid target"],
            "no target to connect to: the port is missing",
        ),
        (
            Report {
                end: End::InvalidUri(UriError::NotHttp),
                lookup: None,
                ..lost(vec![], Ok(()))
            },
            vec!["invalid target"],
            "no target to connect to: the scheme of the URI is not http; \
             under a TLS layer, take Connector::for_tls()",
        ),
        (
            lost(Vec::new(), Err(LookupErrorKind::InvalidTarget(invalid).into())),
            vec!["invalid target"],
            "no target to connect to: the port is missing",
        ),
    ] {
        let error = ConnectError::new(report);
        assert_eq!(error.to_string(), line);
        assert_eq!(predicates(&error), holds, "{line}");
    }
}

#[test]
fn at10_the_long_form_has_a_line_for_each_part_of_the_record() {
    let error = ConnectError::new(Report {
        ignored: 3,
        ..lost(vec![failed("192.0.2.1:80", io::ErrorKind::ConnectionRefused)], Ok(()))
    });
    let won = ConnectInfo::new(Info {
        attempts: error.attempts().to_vec(),
        skipped: Vec::new(),
        ignored: 2,
        winner: 0,
        first_address: Duration::ZERO,
        lookup: None,
        reporter: Reporter(Arc::default()),
    });
    assert_eq!((error.ignored(), won.ignored()), (3, 2));
    let lines: Vec<_> = format!("{error:#}").lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "refused by 192.0.2.1:80 (1 attempt in 20 ms)",
            "  192.0.2.1:80: connection refused after 5 ms, started at 0 ms",
            "  3 more addresses: too many to keep",
            "  lookup: complete",
        ]
    );
    // Of a target that was not looked up there is nothing to add.
    let error = ConnectError::invalid_target(TargetError::NoPort);
    assert_eq!(error.ignored(), 0);
    assert_eq!(format!("{error:#}"), error.to_string());
}

#[test]
fn cr19_the_debug_form_has_the_cause() {
    let error = ConnectError::invalid_uri(UriError::NotHttp);
    let text = format!("{error:?}");
    assert!(text.contains("the scheme of the URI is not http"), "{text}");
}

#[test]
fn cr19_as_an_io_error_it_has_the_kind_of_its_cause() {
    let attempt = |kind| lost(vec![failed("192.0.2.1:80", kind)], Ok(()));
    let dns = |kind: LookupErrorKind| lost(Vec::new(), Err(kind.into()));
    for (report, kind) in [
        (attempt(io::ErrorKind::ConnectionRefused), io::ErrorKind::ConnectionRefused),
        (attempt(io::ErrorKind::HostUnreachable), io::ErrorKind::HostUnreachable),
        (attempt(io::ErrorKind::NetworkUnreachable), io::ErrorKind::NetworkUnreachable),
        (attempt(io::ErrorKind::TimedOut), io::ErrorKind::TimedOut),
        (attempt(io::ErrorKind::ConnectionReset), io::ErrorKind::ConnectionReset),
        (attempt(io::ErrorKind::OutOfMemory), io::ErrorKind::OutOfMemory),
        (Report { end: End::TimedOut, ..lost(Vec::new(), Ok(())) }, io::ErrorKind::TimedOut),
        (lost(Vec::new(), Ok(())), io::ErrorKind::NotFound),
        (dns(LookupErrorKind::NotFound), io::ErrorKind::NotFound),
        (dns(LookupErrorKind::Timeout), io::ErrorKind::TimedOut),
        (dns(LookupErrorKind::PolicyDenied), io::ErrorKind::PermissionDenied),
    ] {
        let error = ConnectError::new(report);
        let as_io = io::Error::from(error.clone());
        assert_eq!(as_io.kind(), kind, "{error}");
        // It is all still there.
        assert_eq!(as_io.to_string(), error.to_string());
        let inner = as_io.get_ref().and_then(|inner| inner.downcast_ref::<ConnectError>());
        assert_eq!(inner, Some(&error));
    }
    let invalid = io::Error::from(ConnectError::invalid_target(TargetError::NoPort));
    assert_eq!(invalid.kind(), io::ErrorKind::InvalidInput);
}

/// The error and its sources, as a log prints them.
fn chain(error: &ConnectError) -> Vec<String> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source()).map(ToString::to_string).collect()
}

fn system_error(stage: AttemptStage, kind: io::ErrorKind, text: &'static str) -> ConnectionAttempt {
    let error = AttemptError::new(stage, io::Error::new(kind, text));
    let outcome = AttemptOutcome::Failed(error);
    ConnectionAttempt { outcome, ..failed("192.0.2.1:80", kind) }
}

#[test]
fn cr10_no_cause_is_told_twice() {
    let refused =
        system_error(AttemptStage::Connect, io::ErrorKind::ConnectionRefused, "(os error 111)");
    let unreachable =
        system_error(AttemptStage::Connect, io::ErrorKind::NetworkUnreachable, "(os error 101)");
    for (report, expected) in [
        (
            lost(vec![refused], Ok(())),
            &["refused by 192.0.2.1:80 (1 attempt in 20 ms)", "(os error 111)"][..],
        ),
        // What decides is the deadline, whatever an attempt before it came to.
        (
            Report { end: End::TimedOut, ..lost(vec![unreachable], Ok(())) },
            &["no connection within 20 ms (1 attempt)", "timed out"],
        ),
        (
            lost(Vec::new(), Err(LookupErrorKind::NotFound.into())),
            &["lookup failed: the name does not exist"],
        ),
        (
            lost(Vec::new(), Err(LookupErrorKind::Timeout.into())),
            &["lookup failed: no nameserver answered in time", "timed out"],
        ),
        (
            Report { end: End::InvalidTarget(TargetError::NoPort), ..lost(Vec::new(), Ok(())) },
            &["no target to connect to: the port is missing"],
        ),
    ] {
        assert_eq!(chain(&ConnectError::new(report)), expected);
    }
}

/// hyper's and other retry layers look for it by walking the sources.
#[test]
fn cr10_a_timeout_has_an_io_error_of_its_kind_among_its_sources() {
    let attempt = |kind| lost(vec![failed("192.0.2.1:80", kind)], Ok(()));
    let timeouts = [
        Report { end: End::TimedOut, ..lost(Vec::new(), Ok(())) },
        Report { end: End::TimedOut, ..attempt(io::ErrorKind::NetworkUnreachable) },
        attempt(io::ErrorKind::TimedOut),
        lost(Vec::new(), Err(LookupErrorKind::Timeout.into())),
    ];
    for error in timeouts.map(ConnectError::new) {
        assert!(error.is_timeout());
        let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::TimedOut), "{error}");
    }
}

#[test]
fn cr10_what_this_host_could_not_do_decides_last() {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionAborted, NetworkUnreachable, PermissionDenied,
    };
    let at = |stage, kind| system_error(stage, kind, "");
    let (bind, connect) = (AttemptStage::Bind, AttemptStage::Connect);
    for (attempts, decisive) in [
        (vec![at(connect, AddrNotAvailable), at(connect, NetworkUnreachable)], NetworkUnreachable),
        (vec![at(bind, AddrNotAvailable), at(connect, NetworkUnreachable)], NetworkUnreachable),
        (
            vec![at(AttemptStage::Mark, PermissionDenied), at(connect, ConnectionAborted)],
            ConnectionAborted,
        ),
        (vec![at(connect, NetworkUnreachable), at(connect, ConnectionAborted)], ConnectionAborted),
    ] {
        let error = ConnectError::new(lost(attempts, Ok(())));
        let AttemptOutcome::Failed(failure) = &error.decisive().unwrap().outcome else { panic!() };
        assert_eq!(failure.io_error().kind(), decisive);
    }
}
