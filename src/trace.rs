//! Spans and events, with feature `tracing`; nothing without it.
//!
//! One span a lookup (`outrace::lookup`) and one a race (`outrace::connect`), at level debug, with
//! the field names of the OpenTelemetry semantic conventions. Nothing is formatted for a subscriber
//! that does not listen.
//!
//! Level warn is for what needs action: a name collision (`outrace::lookup`), and parts of the
//! configuration that cannot be used (`outrace::config`). That nameservers are asked
//! anew, after a change of the configuration or a sleep, is at level info (`outrace::config`).

#[cfg(feature = "tracing")]
mod imp {
    use std::net::SocketAddr;

    use tracing::{Span, debug, debug_span, info, warn};

    use crate::happy_eyeballs::error::ConnectError;
    use crate::happy_eyeballs::report::{ConnectInfo, ConnectionAttempt};
    use crate::resolve::{Diagnostic, NAME_COLLISION};
    use crate::{Host, LookupResult, Target, TargetError};

    /// The span of one lookup, from its call to its `End` or its drop.
    pub(crate) struct LookupSpan(Span);

    impl LookupSpan {
        pub(crate) fn new(target: &Result<Target, TargetError>) -> Self {
            let span = debug_span!(
                target: "outrace::lookup",
                "lookup",
                dns.question.name = tracing::field::Empty,
                server.port = tracing::field::Empty,
            );
            if !span.is_disabled()
                && let Ok(target) = target
            {
                match target.host() {
                    Host::Name(name) => span.record("dns.question.name", name.as_str()),
                    host => span.record("dns.question.name", tracing::field::display(host)),
                };
                target.port().map(|port| span.record("server.port", port));
            }
            Self(span)
        }

        /// A result came from the nameservers.
        pub(crate) fn dns_result(&self, result: &LookupResult) {
            if let LookupResult::Address(addr) = result
                && addr.ip() == NAME_COLLISION
            {
                let _entered = self.0.enter();
                warn!(
                    target: "outrace::lookup",
                    { dns.answer = %addr.ip() },
                    "name collision: this private name is becoming a public one"
                );
            }
        }

        /// A result came out of the stream.
        pub(crate) fn result(&self, result: &LookupResult) {
            let _entered = self.0.enter();
            match result {
                LookupResult::Address(addr) => {
                    debug!(target: "outrace::lookup", { dns.answer = %addr.ip() }, "address");
                }
                LookupResult::CanonicalName(name) => {
                    debug!(target: "outrace::lookup", { dns.answer = %name }, "canonical name");
                }
                LookupResult::End(Ok(())) => debug!(target: "outrace::lookup", "end"),
                LookupResult::End(Err(error)) => {
                    debug!(target: "outrace::lookup", { error.message = %error }, "end");
                }
            }
        }
    }

    /// A configuration was read.
    pub(crate) fn configured(diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            warn!(target: "outrace::config", "{diagnostic}");
        }
    }

    /// The cache is empty, and these nameservers are asked from now on.
    pub(crate) fn generation(nameservers: &[SocketAddr]) {
        info!(target: "outrace::config", ?nameservers, "configuration or network has changed");
    }

    /// The span of one race.
    #[derive(Debug)]
    pub(crate) struct ConnectSpan(Span);

    impl ConnectSpan {
        pub(crate) fn new() -> Self {
            Self(debug_span!(target: "outrace::connect", "connect"))
        }

        /// The race is over.
        pub(crate) fn outcome<T>(&self, outcome: &Result<(T, ConnectInfo), ConnectError>) {
            let _entered = self.0.enter();
            let attempts = match outcome {
                Ok((_, info)) => info.attempts(),
                Err(error) => error.attempts(),
            };
            for ConnectionAttempt { addr, started, lived, outcome, .. } in attempts {
                debug!(
                    target: "outrace::connect",
                    {
                        network.peer.address = %addr.ip(),
                        network.peer.port = addr.port(),
                        started = ?started,
                        lived = ?lived,
                        outcome = ?outcome
                    },
                    "connection attempt"
                );
            }
            match outcome {
                Ok((_, info)) => debug!(
                    target: "outrace::connect",
                    {
                        network.peer.address = %info.addr().ip(),
                        network.peer.port = info.addr().port(),
                        elapsed = ?info.connected_after()
                    },
                    "connected"
                ),
                Err(error) => {
                    debug!(target: "outrace::connect", { error.message = %error }, "failed");
                }
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use std::net::SocketAddr;

    use crate::happy_eyeballs::error::ConnectError;
    use crate::happy_eyeballs::report::ConnectInfo;
    use crate::resolve::Diagnostic;
    use crate::{LookupResult, Target, TargetError};

    pub(crate) fn configured(_: &[Diagnostic]) {}

    pub(crate) fn generation(_: &[SocketAddr]) {}

    pub(crate) struct LookupSpan;

    impl LookupSpan {
        pub(crate) fn new(_: &Result<Target, TargetError>) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "with the feature there is a span in it")]
        pub(crate) fn dns_result(&self, _: &LookupResult) {}

        #[expect(clippy::unused_self, reason = "with the feature there is a span in it")]
        pub(crate) fn result(&self, _: &LookupResult) {}
    }

    #[derive(Debug)]
    pub(crate) struct ConnectSpan;

    impl ConnectSpan {
        pub(crate) fn new() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "with the feature there is a span in it")]
        pub(crate) fn outcome<T>(&self, _: &Result<(T, ConnectInfo), ConnectError>) {}
    }
}

pub(crate) use imp::{ConnectSpan, LookupSpan, configured, generation};
