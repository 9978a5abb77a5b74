//! Spans and events, with feature `tracing`; nothing without it.
//!
//! One span a lookup (`outrace::lookup`) and one a race (`outrace::connect`), whose child its
//! lookup is, at level debug. The events of an [`Observer`](crate::Observer) come out in them, as
//! they happen. Field names are those of the OpenTelemetry semantic conventions where it has them;
//! a `duration` is a number of seconds. Nothing is formatted for a subscriber that does not listen.
//!
//! Level warn is for what needs action: a name collision (`outrace::lookup`), and parts of the
//! configuration that cannot be used (`outrace::config`). That nameservers are asked
//! anew, after a change of the configuration or a sleep, is at level info (`outrace::config`).

#[cfg(feature = "tracing")]
mod imp {
    use std::error::Error;
    use std::net::SocketAddr;

    use tracing::{Span, debug, debug_span, dispatcher, field, info, warn};

    use crate::happy_eyeballs::error::kind_of;
    use crate::happy_eyeballs::{AttemptOutcome, ConnectionAttempt, SkippedAddress};
    use crate::observer::{ConnectEvent, ConnectEventKind, LookupEvent, LookupEventKind};
    use crate::resolve::{Diagnostic, NAME_COLLISION, Transport};
    use crate::{Host, LookupResult, Target, TargetError};

    /// The span of one lookup, from its call to its `End` or its drop.
    #[derive(Clone)]
    pub(crate) struct LookupSpan(Span);

    impl LookupSpan {
        pub(crate) fn new(target: &Result<Target, TargetError>) -> Self {
            let span = debug_span!(
                target: "outrace::lookup",
                "lookup",
                dns.question.name = field::Empty,
                server.port = field::Empty,
                error.type = field::Empty,
            );
            match target {
                _ if span.is_disabled() => {}
                Ok(target) => record_target(&span, "dns.question.name", target),
                Err(error) => {
                    span.record("error.type", "InvalidTarget");
                    span.in_scope(|| {
                        debug!(
                            target: "outrace::lookup",
                            { error.type = "InvalidTarget", error.message = %error },
                            "ended"
                        );
                    });
                }
            }
            Self(span)
        }

        pub(crate) fn is_enabled(&self) -> bool {
            !self.0.is_disabled()
        }

        pub(crate) fn event(&self, event: &LookupEvent<'_>) {
            if self.is_enabled() {
                in_span(&self.0, || self.tell(event));
            }
        }

        fn tell(&self, event: &LookupEvent<'_>) {
            let duration = event.at.as_secs_f64();
            match event.kind {
                LookupEventKind::Sent { question, nameserver, transport, is_resend } => debug!(
                    target: "outrace::lookup",
                    {
                        dns.question.name = question.name.as_str(),
                        dns.question.type = %question.record_type,
                        server.address = %nameserver.ip(),
                        server.port = nameserver.port(),
                        network.transport = transport_name(*transport),
                        is_resend = *is_resend
                    },
                    "query sent"
                ),
                LookupEventKind::Called { question } => debug!(
                    target: "outrace::lookup",
                    {
                        dns.question.name = question.name.as_str(),
                        dns.question.type = %question.record_type
                    },
                    "operating system asked"
                ),
                LookupEventKind::Late { question, nameserver, transport } => debug!(
                    target: "outrace::lookup",
                    {
                        dns.question.name = question.name.as_str(),
                        dns.question.type = %question.record_type,
                        server.address = %nameserver.ip(),
                        server.port = nameserver.port(),
                        network.transport = transport_name(*transport)
                    },
                    "response late"
                ),
                LookupEventKind::Answered { question, source, elapsed, ttl, answer } => debug!(
                    target: "outrace::lookup",
                    {
                        dns.question.name =
                            question.as_ref().map(|question| question.name.as_str()),
                        dns.question.type =
                            question.as_ref().map(|question| field::display(question.record_type)),
                        source = %source,
                        duration = elapsed.as_secs_f64(),
                        ttl = ttl.map(|ttl| ttl.as_secs()),
                        answer = %answer
                    },
                    "answered"
                ),
                LookupEventKind::Ended(Ok(())) => {
                    debug!(target: "outrace::lookup", { duration }, "ended");
                }
                LookupEventKind::Ended(Err(error)) => {
                    self.0.record("error.type", field::debug(error.kind()));
                    debug!(
                        target: "outrace::lookup",
                        { error.type = ?error.kind(), error.message = %error, duration },
                        "ended"
                    );
                }
                LookupEventKind::Dropped => {
                    self.0.record("error.type", "dropped");
                    debug!(
                        target: "outrace::lookup",
                        { error.type = "dropped", duration },
                        "dropped"
                    );
                }
            }
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
                LookupResult::End(_) => {}
            }
        }
    }

    /// A configuration was read.
    pub(crate) fn configured(diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            // That names go to the operating system is how the machine is configured.
            if diagnostic.is_note() {
                info!(target: "outrace::config", "{diagnostic}");
            } else {
                warn!(target: "outrace::config", "{diagnostic}");
            }
        }
    }

    /// The cache is empty, and these nameservers are asked from now on.
    pub(crate) fn generation(nameservers: &[SocketAddr]) {
        info!(target: "outrace::config", ?nameservers, "configuration or network has changed");
    }

    /// The span of one race.
    pub(crate) struct ConnectSpan(Span);

    impl ConnectSpan {
        pub(crate) fn new(target: Option<&Target>) -> Self {
            let span = debug_span!(
                target: "outrace::connect",
                "connect",
                server.address = field::Empty,
                server.port = field::Empty,
                network.peer.address = field::Empty,
                network.peer.port = field::Empty,
                error.type = field::Empty,
            );
            if !span.is_disabled()
                && let Some(target) = target
            {
                record_target(&span, "server.address", target);
            }
            Self(span)
        }

        /// No span.
        pub(crate) fn off() -> Self {
            Self(Span::none())
        }

        pub(crate) fn is_enabled(&self) -> bool {
            !self.0.is_disabled()
        }

        /// What `start` makes is a child of this span.
        pub(crate) fn in_scope<T>(&self, start: impl FnOnce() -> T) -> T {
            self.0.in_scope(start)
        }

        pub(crate) fn event(&self, event: &ConnectEvent<'_>) {
            if self.is_enabled() {
                in_span(&self.0, || self.tell(event));
            }
        }

        fn tell(&self, event: &ConnectEvent<'_>) {
            let duration = event.at.as_secs_f64();
            match &event.kind {
                ConnectEventKind::Started => {}
                ConnectEventKind::Skipped(SkippedAddress { addr, reason }) => debug!(
                    target: "outrace::connect",
                    {
                        network.peer.address = %addr.ip(),
                        network.peer.port = addr.port(),
                        error.message = %reason
                    },
                    "address skipped"
                ),
                ConnectEventKind::AttemptStarted(addr) => debug!(
                    target: "outrace::connect",
                    { network.peer.address = %addr.ip(), network.peer.port = addr.port() },
                    "connection attempt started"
                ),
                ConnectEventKind::TransportUp(addr) => debug!(
                    target: "outrace::connect",
                    { network.peer.address = %addr.ip(), network.peer.port = addr.port() },
                    "transport up"
                ),
                ConnectEventKind::AttemptEnded(attempt) => Self::tell_end(attempt),
                ConnectEventKind::Connected(addr) => {
                    self.0.record("network.peer.address", field::display(addr.ip()));
                    self.0.record("network.peer.port", addr.port());
                    debug!(
                        target: "outrace::connect",
                        {
                            network.peer.address = %addr.ip(),
                            network.peer.port = addr.port(),
                            duration
                        },
                        "connected"
                    );
                }
                ConnectEventKind::Failed(kind, error) => {
                    self.0.record("error.type", field::debug(kind));
                    debug!(
                        target: "outrace::connect",
                        { error.type = ?kind, error.message = %error, duration },
                        "failed"
                    );
                }
                ConnectEventKind::Dropped => {
                    self.0.record("error.type", "dropped");
                    debug!(
                        target: "outrace::connect",
                        { error.type = "dropped", duration },
                        "dropped"
                    );
                }
            }
        }

        fn tell_end(attempt: &ConnectionAttempt<&(dyn Error + 'static)>) {
            let (addr, duration) = (attempt.addr, attempt.lived.as_secs_f64());
            let error_type = match &attempt.outcome {
                AttemptOutcome::Won => None,
                AttemptOutcome::Failed(error) => Some(format!("{:?}", kind_of(*error))),
                AttemptOutcome::TimedOut => Some("timeout".to_owned()),
                AttemptOutcome::Canceled => Some("canceled".to_owned()),
            };
            debug!(
                target: "outrace::connect",
                {
                    network.peer.address = %addr.ip(),
                    network.peer.port = addr.port(),
                    duration,
                    error.type = error_type,
                    outcome = %attempt.outcome
                },
                "connection attempt ended"
            );
        }
    }

    /// Records the host of a target in the field `host`, and its port.
    fn record_target(span: &Span, host: &'static str, target: &Target) {
        match target.host() {
            Host::Name(name) => span.record(host, name.as_str()),
            address => span.record(host, field::display(address)),
        };
        target.port().map(|port| span.record("server.port", port));
    }

    /// As the OpenTelemetry semantic conventions spell `network.transport`.
    fn transport_name(transport: Transport) -> &'static str {
        match transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }

    /// Makes an event within a span, for the subscriber of that span: the thread of the event may
    /// have another one, or none.
    fn in_span(span: &Span, tell: impl FnOnce()) {
        span.with_subscriber(|(_, dispatch)| {
            dispatcher::with_default(dispatch, || span.in_scope(tell));
        });
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use std::net::SocketAddr;

    use crate::observer::{ConnectEvent, LookupEvent};
    use crate::resolve::Diagnostic;
    use crate::{LookupResult, Target, TargetError};

    pub(crate) fn configured(_: &[Diagnostic]) {}

    pub(crate) fn generation(_: &[SocketAddr]) {}

    #[derive(Clone)]
    pub(crate) struct LookupSpan;

    #[expect(clippy::unused_self, reason = "with the feature there is a span in it")]
    impl LookupSpan {
        pub(crate) fn new(_: &Result<Target, TargetError>) -> Self {
            Self
        }

        pub(crate) fn is_enabled(&self) -> bool {
            false
        }

        pub(crate) fn event(&self, _: &LookupEvent<'_>) {}

        pub(crate) fn dns_result(&self, _: &LookupResult) {}

        pub(crate) fn result(&self, _: &LookupResult) {}
    }

    pub(crate) struct ConnectSpan;

    #[expect(clippy::unused_self, reason = "with the feature there is a span in it")]
    impl ConnectSpan {
        pub(crate) fn new(_: Option<&Target>) -> Self {
            Self
        }

        pub(crate) fn off() -> Self {
            Self
        }

        pub(crate) fn is_enabled(&self) -> bool {
            false
        }

        pub(crate) fn in_scope<T>(&self, start: impl FnOnce() -> T) -> T {
            start()
        }

        pub(crate) fn event(&self, _: &ConnectEvent<'_>) {}
    }
}

pub(crate) use imp::{ConnectSpan, LookupSpan, configured, generation};
