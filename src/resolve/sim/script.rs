//! A nameserver that follows a script, in virtual time.

use std::io::ErrorKind;
use std::time::Duration;

use super::message::Query;
use super::world::{Connect, Nameserver, Reaction};
use crate::resolve::error::Transport;
use crate::resolve::stub::socket_error::SocketError;
use crate::testkit::{Action, OpenSocket, Origin, Playback, Script, Step, TcpService};

/// From a query to its response, and from a connect to its outcome, at the least.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// Follows a [`Script`] of the test kit.
pub(super) struct ScriptedNameserver(Playback);

impl ScriptedNameserver {
    #[track_caller]
    pub(super) fn new(text: &str) -> Self {
        let script = Script::parse(text);
        for step in script.steps() {
            let Step::Send(message) = step else { continue };
            let is_from_elsewhere = message.origin != Origin::Server;
            assert!(!is_from_elsewhere, "`wrong-port` and `wrong-peer` need real sockets: {text}");
            assert!(message.framing.together <= 1, "`together` needs real sockets: {text}");
        }
        let is_real = matches!(script.tcp, TcpService::CloseAtOnce | TcpService::Mute);
        assert!(!is_real, "`$tcp close` and `$tcp mute` need real sockets: {text}");
        Self(Playback::new(script))
    }
}

impl Nameserver for ScriptedNameserver {
    fn handle_query(&mut self, query: &Query, _at: Duration) -> Vec<Reaction> {
        if query.transport == Transport::Udp && self.0.script().udp_refused {
            return vec![reaction(ROUND_TRIP, Action::PortUnreachable)];
        }
        let actions = self.0.react(&query.asked).actions.into_iter();
        actions.map(|(after, action)| reaction(after.max(ROUND_TRIP), action)).collect()
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        match self.0.script().tcp {
            TcpService::Serve => Connect::Accept(ROUND_TRIP),
            TcpService::Refuse => Connect::Refuse(ROUND_TRIP),
            TcpService::BlackHole => Connect::Hang,
            TcpService::CloseAtOnce | TcpService::Mute => unreachable!("refused with the script"),
        }
    }

    fn open(&mut self, _transport: Transport, at: Duration) -> Result<(), SocketError> {
        match self.0.script().open {
            OpenSocket::QuotaUntil(until) if at < until => Err(SocketError::OutOfResources),
            OpenSocket::Works | OpenSocket::QuotaUntil(_) => Ok(()),
            OpenSocket::Unreachable => Err(SocketError::Failed(ErrorKind::NetworkUnreachable)),
        }
    }
}

fn reaction(after: Duration, action: Action) -> Reaction {
    let error = |kind| Reaction::Error(after, SocketError::Failed(kind));
    match action {
        Action::Datagram { bytes, .. } | Action::Write(bytes) => Reaction::Bytes(after, bytes),
        Action::Close => error(ErrorKind::UnexpectedEof),
        Action::Reset => error(ErrorKind::ConnectionReset),
        Action::PortUnreachable => error(ErrorKind::ConnectionRefused),
        Action::Hold { .. } => unreachable!("refused with the script"),
    }
}

#[cfg(test)]
mod tests {
    use super::ScriptedNameserver;
    use crate::resolve::sim::scenario::{SCENARIO, Scenario};

    #[test]
    fn what_needs_real_sockets_is_refused() {
        for text in [
            "* * -> drop | wrong-port",
            "* * -> wrong-peer, answer 192.0.2.1",
            "* * tcp -> answer 192.0.2.1 together 2",
            "$tcp close",
            "$tcp mute",
        ] {
            let made = std::panic::catch_unwind(|| ScriptedNameserver::new(text));
            assert!(made.is_err(), "`{text}` was taken");
        }
    }

    /// The trip is a part of the first delay, and delays add up.
    #[test]
    fn a_message_arrives_after_the_delays_before_it_and_a_trip_at_the_least() {
        for (script, result) in [
            ("* * -> answer 192.0.2.1", "192.0.2.1@1 =www.example@1 ok@1"),
            ("* * -> delay 300us, answer 192.0.2.1", "192.0.2.1@1 =www.example@1 ok@1"),
            ("* * -> delay 4ms, answer 192.0.2.1", "192.0.2.1@4 =www.example@4 ok@4"),
            (
                "* * -> delay 4ms, wrong-id, then delay 5ms, answer 192.0.2.1; $tcp refuse",
                "192.0.2.1@9 =www.example@9 ok@9",
            ),
        ] {
            Scenario { servers: &[script], results: &[result], ..SCENARIO }.check();
        }
    }

    #[test]
    fn a_nameserver_without_a_udp_port_passes_the_question_on() {
        let servers = &["$udp refuse; * * -> answer 192.0.2.66", "* * -> answer 192.0.2.1"];
        let results = &["192.0.2.1@2 =www.example@2 ok@2"];
        Scenario { config: "in-turn", servers, results, ..SCENARIO }.check();
    }
}
