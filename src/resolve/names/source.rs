//! The choice between the sources: whom names are asked of, as this machine is configured.
//!
//! | nsswitch.conf has | asked here |
//! |---|---|
//! | `files` and `dns`, in either order, or one alone | the same, in that order |
//! | a module that knows some names, as `myhostname` and `mdns4` do | those names of the system |
//! | a module that may know any name, in front of `dns` | every name of the system |
//! | the same behind `dns` | the nameservers; what they have not, of the system |
//! | criteria that change what `files` and `dns` do | every name of the system |
//! | nothing that can be read | every name of the system |
//! | no module, or criteria that cannot be read: the system fails | hosts file, then nameservers |
//!
//! Where the system would read the hosts file first, it is read here first for the system too. Of a
//! name that the file has for one family alone, the C library asks the others for the other family:
//! a name that a block list has as `0.0.0.0` would be reached over IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::source_order::{Asked, NameRules, Names, SourceOrder, SourceRules};
use crate::os::NameService;
use crate::resolve::config::nsswitch::{Action, HostsLine, Module, Status};
use crate::resolve::config::resolv_conf::{LookupWord, ResolvConf};
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause};

/// All that the choice depends on.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) service: NameService,
    pub(crate) hosts_line: &'a HostsLine,
    pub(crate) conf: &'a ResolvConf,
    /// Why resolv.conf could not be read, if it is there.
    pub(crate) conf_failure: Option<io::ErrorKind>,
    pub(crate) is_conf_missing: bool,
    /// `HOSTALIASES` names a file of aliases for names without a dot.
    pub(crate) has_hostaliases: bool,
    /// `ASR_CONFIG` has text in place of resolv.conf, on OpenBSD.
    pub(crate) has_asr_config: bool,
    pub(crate) machine: &'a MachineFacts,
}

/// What some modules of nsswitch.conf depend on. The rest has its default: see [`Needs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MachineFacts {
    pub(crate) hostname: Option<Box<str>>,
    /// systemd-resolved listens where nss-resolve asks it.
    pub(crate) has_resolved: bool,
    /// systemd-machined has a machine.
    pub(crate) has_machines: bool,
    /// There is a file mdns.allow.
    pub(crate) has_mdns_allow: bool,
}

/// Which of the [`MachineFacts`] the line `hosts` needs: on a server with `files dns`, none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, free of the others")]
pub(crate) struct Needs {
    pub(crate) hostname: bool,
    pub(crate) resolved: bool,
    pub(crate) machines: bool,
    pub(crate) mdns_allow: bool,
}

impl Needs {
    pub(crate) fn of(line: &HostsLine) -> Self {
        let mut needs = Self::default();
        let HostsLine::Modules { modules, .. } = line else { return needs };
        for module in modules {
            match Service::of(&module.name) {
                Service::MyHostname => needs.hostname = true,
                Service::Mdns => needs.mdns_allow = true,
                Service::Resolve => (needs.resolved, needs.hostname) = (true, true),
                Service::MyMachines => needs.machines = true,
                _ => {}
            }
        }
        needs
    }
}

/// A module of nsswitch.conf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Files,
    Dns,
    MyHostname,
    MdnsMinimal,
    Mdns,
    Resolve,
    MyMachines,
    Wins,
    /// Not installed: no module has such a name.
    Absent,
    Other,
}

impl Service {
    /// Names of modules are names of files, so their case counts.
    fn of(name: &str) -> Self {
        match name {
            "files" => Self::Files,
            "dns" => Self::Dns,
            "myhostname" => Self::MyHostname,
            "mdns_minimal" | "mdns4_minimal" | "mdns6_minimal" => Self::MdnsMinimal,
            "mdns" | "mdns4" | "mdns6" => Self::Mdns,
            "resolve" => Self::Resolve,
            "mymachines" => Self::MyMachines,
            "wins" => Self::Wins,
            // In front of a comment, as its author thought.
            "#" => Self::Absent,
            _ => Self::Other,
        }
    }

    /// What the module comes to for a name that it does not know. nss-mdns passes for not there, as
    /// a module that is not installed does, and nss-resolve without its daemon.
    fn status_otherwise(self) -> Status {
        match self {
            Self::MdnsMinimal | Self::Mdns | Self::Resolve | Self::Absent => Status::Unavail,
            _ => Status::NotFound,
        }
    }
}

/// The rules, and why names go to the system by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) rules: SourceRules,
    pub(crate) reasons: Vec<Diagnostic>,
}

impl Decision {
    fn same(order: SourceOrder) -> Self {
        Self { rules: SourceRules::Same(order), reasons: Vec::new() }
    }

    /// The same for a program that wants the system to be asked: that needs no reason.
    pub(crate) fn by_request(self) -> Self {
        Self { rules: self.rules.into_system(), reasons: Vec::new() }
    }
}

/// Decides whom names are asked of.
pub(crate) fn decide(facts: &Facts<'_>) -> Decision {
    match facts.service {
        NameService::Nsswitch { defaults_to_dns } => by_nsswitch(facts, defaults_to_dns),
        NameService::Lookup => by_lookup(facts),
        NameService::Opaque => Decision::same(SourceOrder::HostsThenSystem),
        NameService::Unknown if facts.is_conf_missing => {
            Decision::same(SourceOrder::HostsThenSystem)
        }
        NameService::HostsThenDns | NameService::Unknown => {
            Decision::same(SourceOrder::HostsThenNameservers)
        }
    }
}

/// resolv.conf(5) of OpenBSD: "If the lookup keyword is not used in the system's resolv.conf file
/// then the assumed order is 'bind file'". Without such a file, no nameserver is asked.
fn by_lookup(facts: &Facts<'_>) -> Decision {
    use LookupWord::{Bind, File};
    let system = |order, source, line, word: &str| {
        let reason = Diagnostic::about(source, line, DiagnosticCause::NamesGoToSystem, word);
        Decision { rules: SourceRules::Same(order), reasons: vec![reason] }
    };
    if facts.has_asr_config {
        return system(SourceOrder::System, ConfigSource::AsrConfig, 0, "");
    }
    if facts.is_conf_missing {
        return Decision::same(SourceOrder::Hosts);
    }
    let Some(lookup) = &facts.conf.lookup else {
        return Decision::same(SourceOrder::NameserversThenHosts);
    };
    let order = match lookup.words[..] {
        [Bind, File] => SourceOrder::NameserversThenHosts,
        [File, Bind] => SourceOrder::HostsThenNameservers,
        [File] => SourceOrder::Hosts,
        [Bind] => SourceOrder::Nameservers,
        [File, ..] => SourceOrder::HostsThenSystem,
        _ => SourceOrder::System,
    };
    match order {
        SourceOrder::HostsThenSystem | SourceOrder::System => {
            system(order, ConfigSource::ResolvConf, lookup.line, "lookup")
        }
        order => Decision::same(order),
    }
}

fn by_nsswitch(facts: &Facts<'_>, defaults_to_dns: bool) -> Decision {
    let mut reading = Reading::default();
    reading.rules.hostname.clone_from(&facts.machine.hostname);
    match facts.hosts_line {
        HostsLine::Missing if defaults_to_dns => {
            reading.rules.asked = vec![Asked::HostsFile, Asked::Nameservers];
        }
        // There is no asking the C library, whatever the reason would be.
        HostsLine::Broken | HostsLine::Empty if defaults_to_dns => {
            return Decision::same(SourceOrder::HostsThenNameservers);
        }
        HostsLine::Missing | HostsLine::Broken | HostsLine::Empty | HostsLine::Unreadable => {
            reading.all_to_system(ConfigSource::Nsswitch);
        }
        HostsLine::Modules { number, modules } => reading.modules(*number, modules, facts),
    }
    // Without the file, and with one that this process may not read, the C library has the defaults
    // of resolv.conf(5), as here. Any other failure may not be one for it.
    if facts.conf_failure.is_some_and(|kind| kind != io::ErrorKind::PermissionDenied) {
        reading.all_to_system(ConfigSource::ResolvConf);
    }
    if facts.has_hostaliases {
        reading.rules.has_hostaliases = true;
        let (source, cause) = (ConfigSource::HostAliases, DiagnosticCause::SomeNamesGoToSystem);
        reading.reasons.push(Diagnostic::about(source, 0, cause, ""));
    }
    reading.into_decision()
}

/// The rules while the line `hosts` is read.
#[derive(Default)]
struct Reading {
    rules: NameRules,
    reasons: Vec<Diagnostic>,
}

impl Reading {
    fn modules(&mut self, number: usize, modules: &[Module], facts: &Facts<'_>) {
        let has_dns = modules.iter().any(|module| Service::of(&module.name) == Service::Dns);
        for (place, module) in modules.iter().enumerate() {
            let service = Service::of(&module.name);
            let is_last = place + 1 == modules.len();
            let ends_with_success = module.action_on(Status::Success) == Action::Return;
            if service == Service::Files && ends_with_success {
                self.asked(number, "", Asked::HostsFile);
            }
            let asked = if changes_others(module, service, is_last) {
                Some(Asked::System(Names::All))
            } else {
                match service {
                    Service::Files => None,
                    Service::Dns => Some(Asked::Nameservers),
                    Service::Other => Some(Asked::AnyModule),
                    _ => names_of(service, facts).map(Asked::System),
                }
            };
            let Some(asked) = asked else { continue };
            self.asked(number, &module.name, asked);
            // The rest of its names, systemd-resolved answers as a nameserver.
            if asked == Asked::System(Names::Resolved) && !has_dns {
                self.asked(number, &module.name, Asked::Nameservers);
            }
        }
    }

    /// Appends what is asked in the place of the module `name`. What is asked for the second time
    /// makes no difference.
    fn asked(&mut self, number: usize, name: &str, asked: Asked) {
        if self.rules.asked.contains(&asked) {
            return;
        }
        let is_behind_dns = self.rules.asked.contains(&Asked::Nameservers);
        self.rules.asked.push(asked);
        let cause = match asked {
            Asked::HostsFile | Asked::Nameservers => return,
            Asked::AnyModule if is_behind_dns => DiagnosticCause::UnfoundNamesGoToSystem,
            Asked::AnyModule | Asked::System(Names::All) => DiagnosticCause::NamesGoToSystem,
            Asked::System(_) => DiagnosticCause::SomeNamesGoToSystem,
        };
        self.reasons.push(Diagnostic::about(ConfigSource::Nsswitch, number, cause, name));
    }

    fn all_to_system(&mut self, source: ConfigSource) {
        self.rules.is_all_of_system = true;
        self.reasons.push(Diagnostic::about(source, 0, DiagnosticCause::NamesGoToSystem, ""));
    }

    /// Beside a reason for all names, none for some of them is needed.
    fn into_decision(self) -> Decision {
        let for_all = |reason: &Diagnostic| reason.cause() == DiagnosticCause::NamesGoToSystem;
        let reasons = match self.reasons.iter().position(for_all) {
            Some(at) => vec![self.reasons[at].clone()],
            None => self.reasons,
        };
        Decision { rules: self.rules.into(), reasons }
    }
}

/// The names for which the module has to be asked, of those modules that know some names alone;
/// `None` if it is as if it were not there.
fn names_of(service: Service, facts: &Facts<'_>) -> Option<Names> {
    let machine = facts.machine;
    match service {
        Service::MyHostname => Some(Names::OfMachine),
        Service::MdnsMinimal => Some(Names::LocalOfTwoLabels),
        // Its words are not read: they may be any domains.
        Service::Mdns if machine.has_mdns_allow => Some(Names::All),
        Service::Mdns => Some(Names::Local),
        // Without its daemon nss-resolve is not available, and the next module is asked.
        Service::Resolve if !machine.has_resolved => None,
        // Asked over DNS, the daemon has the same routing domains and the same hosts file.
        Service::Resolve if is_resolved_nameserver(facts.conf) => Some(Names::Resolved),
        Service::Resolve => Some(Names::All),
        Service::MyMachines => machine.has_machines.then_some(Names::SingleLabel),
        Service::Wins => Some(Names::NetBios),
        Service::Files | Service::Dns | Service::Absent | Service::Other => None,
    }
}

/// Whether the criteria of a module bear on names that are not its own, so that the order of
/// modules is not all there is to the line.
fn changes_others(module: &Module, service: Service, is_last: bool) -> bool {
    match service {
        Service::Files | Service::Dns => !module.is_default(is_last),
        // It has to be asked for what it makes of every name, wherever it stands.
        Service::Other => false,
        // `mdns4_minimal [NOTFOUND=return]` is about names that it knows.
        _ => {
            module.action_on(Status::Success) != Action::Return
                || !is_last && module.action_on(service.status_otherwise()) != Action::Continue
        }
    }
}

/// Whether queries go to systemd-resolved alone.
fn is_resolved_nameserver(conf: &ResolvConf) -> bool {
    let stubs = [Ipv4Addr::new(127, 0, 0, 53), Ipv4Addr::new(127, 0, 0, 54)].map(IpAddr::V4);
    conf.nameservers.iter().all(|addr| stubs.contains(&addr.ip()))
}

#[cfg(test)]
mod tests;
