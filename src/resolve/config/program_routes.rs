//! [`ProgramRoutes`]: the routes that the program gave to the builder.

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
    /// Adds the route of a suffix; `.` is the root. One that cannot be used is skipped, with a
    /// diagnostic.
    pub(crate) fn add(&mut self, suffix: &str, to: RouteTarget) {
        let name = if suffix == "." { Ok(None) } else { suffix.parse::<HostName>().map(Some) };
        let is_empty = matches!(&to, RouteTarget::Nameservers(addrs) if addrs.is_empty());
        let cause = match name {
            Ok(_) if is_empty => DiagnosticCause::EmptyRoute,
            Ok(suffix) => {
                let route = NameRoute { suffix, is_exact: false, to, order: 0, is_search: false };
                return self.routes.push(route);
            }
            Err(error) => DiagnosticCause::Name(error),
        };
        self.diagnostics.note(0, cause, suffix.as_bytes());
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
            ("lab.example", to(0), Some(DiagnosticCause::EmptyRoute)),
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
        let text = routes.diagnostics().last().expect("seen above").to_string();
        assert_eq!(text, "builder: \"lab.example\": the route has no nameserver");
    }
}
