//! Whom one name is asked of, and in which order.

use crate::HostName;
use crate::host_name::is_in_domain;

/// The sources of one name, in their order. The system is the operating system's own lookup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SourceOrder {
    #[default]
    HostsThenNameservers,
    NameserversThenHosts,
    Hosts,
    Nameservers,
    /// The configuration has none for this name: it is not found.
    Nowhere,
    HostsThenSystem,
    System,
    /// The system is asked if the nameservers have no address.
    HostsThenNameserversThenSystem,
    NameserversThenSystem,
}

impl SourceOrder {
    /// Whether the hosts file answers before anything else is asked.
    pub(crate) fn has_hosts_first(self) -> bool {
        matches!(
            self,
            Self::HostsThenNameservers
                | Self::Hosts
                | Self::HostsThenSystem
                | Self::HostsThenNameserversThenSystem
        )
    }

    /// Whether the hosts file counts at all; it may, if the system is asked.
    pub(crate) fn has_hosts(self) -> bool {
        !matches!(self, Self::Nameservers | Self::Nowhere)
    }

    /// The system in place of everything but a hosts file that comes first.
    fn to_system(self) -> Self {
        if self.has_hosts_first() { Self::HostsThenSystem } else { Self::System }
    }
}

/// Whom the names of this machine are asked of. Made once for each configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceRules {
    /// The same for every name, as on a server whose nsswitch.conf has `files dns`.
    Same(SourceOrder),
    ByName(Box<NameRules>),
}

impl Default for SourceRules {
    fn default() -> Self {
        Self::Same(SourceOrder::default())
    }
}

impl SourceRules {
    /// The sources of `name`.
    pub(crate) fn order_of(&self, name: &HostName) -> SourceOrder {
        match self {
            Self::Same(order) => *order,
            Self::ByName(rules) => rules.order_of(name),
        }
    }

    /// Whether the nameservers are asked for any name.
    pub(crate) fn may_ask_nameservers(&self) -> bool {
        match self {
            Self::Same(order) => !matches!(
                order,
                SourceOrder::Hosts
                    | SourceOrder::Nowhere
                    | SourceOrder::HostsThenSystem
                    | SourceOrder::System
            ),
            Self::ByName(rules) => !rules.is_all_of_system,
        }
    }

    /// The same with the system in place of everything but a hosts file that comes first.
    pub(crate) fn into_system(self) -> Self {
        match self {
            Self::Same(order) => Self::Same(order.to_system()),
            Self::ByName(mut rules) => {
                rules.is_all_of_system = true;
                Self::ByName(rules)
            }
        }
    }
}

/// The modules of nsswitch.conf as they are asked, and what of them depends on the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameRules {
    /// In their order, each once: few, however long the line is.
    pub(crate) asked: Vec<Asked>,
    pub(crate) is_all_of_system: bool,
    /// Names without a dot may be aliases that the system alone knows.
    pub(crate) has_hostaliases: bool,
    pub(crate) hostname: Option<Box<str>>,
}

/// What is asked in the place of one module of nsswitch.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    HostsFile,
    Nameservers,
    /// A module that is asked for these names by the system alone.
    System(Names),
    /// A module that may know any name: behind the nameservers it is asked for what they have not.
    AnyModule,
}

/// The names that a module may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    All,
    /// This machine's own, and those of its gateway.
    OfMachine,
    /// `printer.local`, and not `a.printer.local`.
    LocalOfTwoLabels,
    Local,
    SingleLabel,
    /// A single label of at most 15 characters.
    NetBios,
    /// What systemd-resolved does not answer over DNS as it does for the C library.
    Resolved,
}

impl Names {
    /// Whether `name` is one of them; neither it nor `hostname` has a final dot.
    fn have(self, name: &str, hostname: Option<&str>) -> bool {
        let is_single_label = || !name.contains('.');
        let local_labels = || is_in_domain(name, "local").then(|| name.split('.').count());
        let is_of_machine = || {
            hostname.is_some_and(|hostname| name.eq_ignore_ascii_case(hostname))
                || ["_gateway", "_outbound"].iter().any(|own| name.eq_ignore_ascii_case(own))
                || is_in_domain(name, "localhost.localdomain")
        };
        match self {
            Self::All => true,
            Self::OfMachine => is_of_machine(),
            Self::LocalOfTwoLabels => local_labels() == Some(2),
            Self::Local => local_labels().is_some_and(|labels| labels > 1),
            Self::SingleLabel => is_single_label(),
            // 16 octets, the last of which is the kind of the name (RFC 1001 section 14.1).
            Self::NetBios => is_single_label() && name.len() <= 15,
            Self::Resolved => is_single_label() || local_labels().is_some() || is_of_machine(),
        }
    }
}

impl NameRules {
    fn order_of(&self, name: &HostName) -> SourceOrder {
        // With a final dot too, the C library does not look for an alias.
        let is_alias = self.has_hostaliases && !name.as_str().contains('.');
        let (name, hostname) = (name.without_final_dot(), self.hostname.as_deref());
        self.order(is_alias, |names| names.have(name, hostname))
    }

    /// The order of a name that may be an alias, and that is one of the names that `have` says.
    fn order(&self, is_alias: bool, have: impl Fn(Names) -> bool) -> SourceOrder {
        let (mut hosts, mut nameservers, mut others) = (None, None, None);
        let (mut is_of_system, mut is_then_of_system) = (self.is_all_of_system || is_alias, false);
        for (place, asked) in self.asked.iter().enumerate() {
            match *asked {
                Asked::HostsFile => _ = hosts.get_or_insert(place),
                Asked::Nameservers => _ = nameservers.get_or_insert(place),
                Asked::System(names) if have(names) => {
                    others.get_or_insert(place);
                    is_of_system = true;
                }
                Asked::System(_) => {}
                Asked::AnyModule => {
                    others.get_or_insert(place);
                    let is_behind = nameservers.is_some();
                    (is_of_system, is_then_of_system) = (is_of_system || !is_behind, is_behind);
                }
            }
        }
        let is_first = |hosts| [nameservers, others].into_iter().flatten().all(|at| hosts < at);
        match (hosts.is_some_and(is_first), nameservers) {
            (true, _) if is_of_system => SourceOrder::HostsThenSystem,
            (false, _) if is_of_system => SourceOrder::System,
            (true, Some(_)) if is_then_of_system => SourceOrder::HostsThenNameserversThenSystem,
            (false, Some(_)) if is_then_of_system => SourceOrder::NameserversThenSystem,
            (true, Some(_)) => SourceOrder::HostsThenNameservers,
            (true, None) => SourceOrder::Hosts,
            (false, Some(_)) if hosts.is_some() => SourceOrder::NameserversThenHosts,
            (false, Some(_)) => SourceOrder::Nameservers,
            (false, None) => SourceOrder::Nowhere,
        }
    }

    /// Returns whether every name has the same order.
    fn is_same_for_all(&self) -> bool {
        let by_name = |asked: &Asked| matches!(asked, Asked::System(names) if *names != Names::All);
        !self.has_hostaliases && !self.asked.iter().any(by_name)
    }
}

impl From<NameRules> for SourceRules {
    fn from(rules: NameRules) -> Self {
        if rules.is_same_for_all() {
            Self::Same(rules.order(false, |_| true))
        } else {
            Self::ByName(Box::new(rules))
        }
    }
}
