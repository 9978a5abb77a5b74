//! [`ProgramRoutes`]: the routes that the program gave to the builder.

use std::net::SocketAddr;

use super::name_routes::{NameRoute, RouteTarget};
use crate::HostName;
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};

/// The routes of the program, in the order in which they were given.
#[derive(Clone, Debug)]
pub(crate) struct ProgramRoutes {
    routes: Vec<NameRoute>,
    diagnostics: Diagnostics,
}

impl Default for ProgramRoutes {
    fn default() -> Self {
        Self { routes: Vec::new(), diagnostics: Diagnostics::new(ConfigSource::Builder) }
    }
}

impl ProgramRoutes {
    /// Adds the route of a suffix; `.` is the root. A suffix that is no name is skipped, with a
    /// diagnostic. Without a nameserver that can be asked the names are refused, with a diagnostic:
    /// no other nameserver is to see them.
    pub(crate) fn add(&mut self, suffix: &str, mut to: RouteTarget) {
        let name = if suffix == "." { Ok(None) } else { suffix.parse::<HostName>().map(Some) };
        let mut note = |cause| self.diagnostics.note(0, cause, suffix.as_bytes());
        let suffix = match name {
            Ok(name) => name,
            Err(error) => return note(DiagnosticCause::Name(error)),
        };
        let is_usable = |addr: &SocketAddr| addr.port() != 0 && !addr.ip().is_unspecified();
        if matches!(&to, RouteTarget::Nameservers(addrs) if !addrs.iter().any(is_usable)) {
            note(DiagnosticCause::EmptyRoute);
            to = RouteTarget::Refuse;
        }
        self.routes.push(NameRoute { suffix, is_exact: false, to, order: 0, is_search: false });
    }

    pub(crate) fn routes(&self) -> &[NameRoute] {
        &self.routes
    }

    /// Returns the diagnostics of the routes that could not be used.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        self.diagnostics.clone().into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NameError;

    #[test]
    fn a_route_that_cannot_be_used_is_skipped_and_reported() {
        let to = |count: u8| {
            let addrs = (1..=count).map(|last| ([192, 0, 2, last], 53).into());
            RouteTarget::Nameservers(addrs.collect())
        };
        let mut routes = ProgramRoutes::default();
        for (suffix, to, cause) in [
            ("corp.example", to(1), None),
            (".", to(2), None),
            ("Lab.Example.", RouteTarget::Refuse, None),
            ("", to(1), Some(DiagnosticCause::Name(NameError::Empty))),
            (".corp.example", to(1), Some(DiagnosticCause::Name(NameError::EmptyLabel))),
            (
                "a b",
                RouteTarget::Refuse,
                Some(DiagnosticCause::Name(NameError::ForbiddenByte { byte: b' ', index: 1 })),
            ),
            ("192.0.2.1", to(1), Some(DiagnosticCause::Name(NameError::IpAddress))),
        ] {
            let before = (routes.routes.len(), routes.diagnostics().len());
            routes.add(suffix, to);
            let taken = usize::from(cause.is_none());
            let after = (before.0 + taken, before.1 + 1 - taken);
            let diagnostics = routes.diagnostics();
            assert_eq!((routes.routes.len(), diagnostics.len()), after, "{suffix:?}");
            if let Some(cause) = cause {
                let last = diagnostics.last().expect("one at least");
                assert_eq!((last.cause(), last.config_source()), (cause, ConfigSource::Builder));
            }
        }
        assert_eq!(routes.routes[1].suffix, None);
    }

    #[test]
    fn sy51_the_names_of_a_route_without_a_usable_nameserver_are_refused() {
        let unusable = ["192.0.2.1:0", "0.0.0.0:53", "[::]:53"];
        for (given, is_refused) in [
            (&[][..], true),
            (&unusable, true),
            (&["192.0.2.1:0", "192.0.2.1:53"], false),
            (&["192.0.2.1:53"], false),
        ] {
            let addrs = given.iter().map(|text| text.parse().unwrap());
            let to = RouteTarget::Nameservers(addrs.collect());
            let mut routes = ProgramRoutes::default();
            routes.add("lab.example", to.clone());
            let expected = if is_refused { RouteTarget::Refuse } else { to };
            assert_eq!(routes.routes()[0].to, expected, "{given:?}");
            let told: Vec<_> = routes.diagnostics().iter().map(ToString::to_string).collect();
            let complaint = "builder: \"lab.example\": no nameserver, the names are refused";
            assert_eq!(told, if is_refused { vec![complaint] } else { vec![] });
        }
    }
}
