//! macOS: the dynamic store of configd and the files in `/etc/resolver`, from what was read to a
//! [`NativeConfig`].

use std::net::{SocketAddr, SocketAddrV6};

use super::NativeConfig;
use super::property_list::{self, PropertyList};
use crate::HostName;
use crate::host_name;
use crate::resolve::config::name_routes::{NameRoute, RouteTarget};
use crate::resolve::config::resolv_conf::{self, Env, parse_nameserver};
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};
use crate::resolve::stub::query::MAX_NAMESERVERS;
use crate::zone::InterfaceIndex;

/// The key of the default resolver.
const GLOBAL: &str = "State:/Network/Global/DNS";

/// The keys of the default resolver and of each network service.
pub(crate) const KEYS: &str = "State:/Network/(Global|Service/[^/]+)/DNS";

/// A larger file in `/etc/resolver` is none that a person wrote.
pub(crate) const MAX_RESOLVER_FILE: u64 = 64 << 10;

/// What was read of a Mac.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Each key of [`KEYS`] and its value, an XML property list.
    pub(crate) store: Vec<(String, Vec<u8>)>,
    /// Each plain file in `/etc/resolver`, by its name, and its text.
    pub(crate) resolver_files: Vec<(String, Vec<u8>)>,
    /// Whether the store or the folder could not be read.
    pub(crate) is_partial: bool,
    /// The sources and files that could not be read.
    pub(crate) unreadable: Vec<Diagnostic>,
}

/// Makes a configuration of what was read.
///
/// The default resolver gives nameservers, search list and options. A service with
/// `SupplementalMatchDomains` is a resolver for these domains alone, as a VPN has it; one of them
/// that is empty means every name, before the default resolver. A service without any is not used:
/// it is the default resolver already, or belongs to an interface that is not the first.
pub(crate) fn native_config(mut recorded: Recorded, env: &Env<'_>) -> NativeConfig {
    // The system promises no order. Of equal routes the first holds, so there has to be one.
    recorded.store.sort();
    recorded.resolver_files.sort();
    // The value of a key could not be had.
    let is_partial = recorded.is_partial || recorded.store.iter().any(|(_, xml)| xml.is_empty());
    let diagnostics = recorded.unreadable;
    let mut config = NativeConfig { is_partial, diagnostics, ..NativeConfig::default() };
    let mut store = Diagnostics::new(ConfigSource::DynamicStore);
    for (key, xml) in &recorded.store {
        let parsed = property_list::parse(xml);
        if !parsed.is_whole {
            store.note(0, DiagnosticCause::PropertyList, key.as_bytes());
        }
        let Some(dict) = parsed.value else { continue };
        let mut members = Members { dict: &dict, diagnostics: &mut store, env };
        if key == GLOBAL {
            config.nameservers = members.nameservers();
            config.search = members.search();
            config.options = members.options();
        } else {
            config.routes.extend(members.routes());
        }
    }
    config.diagnostics.extend(store.into_vec());
    let mut files = Diagnostics::new(ConfigSource::ResolverDirectory);
    for (name, text) in &recorded.resolver_files {
        config.routes.extend(file_route(name, text, &mut files, env.interfaces));
    }
    config.diagnostics.extend(files.into_vec());
    config
}

/// The members of one value of the store.
struct Members<'a, 'env> {
    dict: &'a PropertyList,
    diagnostics: &'a mut Diagnostics,
    env: &'a Env<'env>,
}

impl<'a> Members<'a, '_> {
    fn note(&mut self, cause: DiagnosticCause, word: &str) {
        self.diagnostics.note(0, cause, word.as_bytes());
    }

    fn array(&mut self, key: &str) -> &'a [PropertyList] {
        match self.dict.member(key) {
            None => &[],
            Some(PropertyList::Array(items)) => items,
            Some(_) => {
                self.note(DiagnosticCause::ValueType, key);
                &[]
            }
        }
    }

    /// The texts of an array, each with its position in it.
    fn texts(&mut self, key: &str) -> Vec<(usize, &'a str)> {
        let mut texts = Vec::new();
        for (at, item) in self.array(key).iter().enumerate() {
            match item {
                PropertyList::String(text) => texts.push((at, text.as_str())),
                _ => self.note(DiagnosticCause::ValueType, key),
            }
        }
        texts
    }

    fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.dict.member(key)? {
            PropertyList::String(text) => Some(text),
            _ => {
                self.note(DiagnosticCause::ValueType, key);
                None
            }
        }
    }

    fn integer(&mut self, key: &str) -> Option<i64> {
        match self.dict.member(key)? {
            PropertyList::Integer(number) => Some(*number),
            _ => {
                self.note(DiagnosticCause::ValueType, key);
                None
            }
        }
    }

    /// Whether a switch is on: it is a number, and not 0.
    fn is_set(&self, key: &str) -> bool {
        matches!(self.dict.member(key), Some(PropertyList::Integer(1..) | PropertyList::Bool(true)))
    }

    fn name(&mut self, text: &str) -> Option<HostName> {
        let name = host_name::check(text.as_bytes());
        match name {
            Ok(()) => Some(HostName::from_checked(text).to_relative()),
            Err(error) => {
                self.note(DiagnosticCause::Name(error), text);
                None
            }
        }
    }

    fn nameservers(&mut self) -> Vec<SocketAddr> {
        let port = self.integer("ServerPort").and_then(|number| {
            let port = u16::try_from(number).ok().filter(|&port| port != 0);
            if port.is_none() {
                self.note(DiagnosticCause::Port, &number.to_string());
            }
            port
        });
        let interface = self.text("InterfaceName");
        let mut nameservers = Vec::new();
        for (_, text) in self.texts("ServerAddresses") {
            match parse_nameserver(text, self.env.interfaces) {
                Ok(_) if nameservers.len() >= MAX_NAMESERVERS => {
                    self.note(DiagnosticCause::TooManyNameservers, text);
                }
                Ok(mut addr) => {
                    if let SocketAddr::V6(v6) = &mut addr
                        && lacks_scope(*v6)
                    {
                        let index = interface.and_then(self.env.interfaces);
                        let Some(index) = index else {
                            self.note(DiagnosticCause::Zone, text);
                            continue;
                        };
                        v6.set_scope_id(index);
                    }
                    if let Some(port) = port {
                        addr.set_port(port);
                    }
                    if !nameservers.contains(&addr) {
                        nameservers.push(addr);
                    }
                }
                Err(error) => self.note(error.into(), text),
            }
        }
        nameservers
    }

    fn search(&mut self) -> Vec<HostName> {
        let texts = self.texts("SearchDomains");
        let mut search = Vec::new();
        for (_, text) in texts {
            search.extend(self.name(text));
        }
        if search.is_empty()
            && let Some(text) = self.text("DomainName")
        {
            search.extend(self.name(text));
        }
        search
    }

    /// The options of resolv.conf(5), amended by the environment as those of a file are.
    fn options(&mut self) -> Option<resolv_conf::Options> {
        let text = self.text("Options")?;
        let conf = resolv_conf::parse(format!("options {text}").as_bytes(), self.env);
        for diagnostic in conf.diagnostics {
            if diagnostic.config_source() == ConfigSource::ResolvConf {
                self.note(diagnostic.cause(), diagnostic.word().unwrap_or_default());
            }
        }
        Some(conf.options)
    }

    fn routes(&mut self) -> Vec<NameRoute> {
        let domains = self.texts("SupplementalMatchDomains");
        if domains.is_empty() {
            return Vec::new();
        }
        let to = target(self.nameservers());
        let orders = self.array("SupplementalMatchOrders");
        let is_search = !self.is_set("SupplementalMatchDomainsNoSearch");
        let mut routes = Vec::new();
        for (at, text) in domains {
            let suffix = match text {
                "" | "." => None,
                text => match self.name(text) {
                    Some(suffix) => Some(suffix),
                    None => continue,
                },
            };
            let order = match orders.get(at) {
                Some(PropertyList::Integer(order)) => u32::try_from(*order).unwrap_or(u32::MAX),
                _ => 0,
            };
            routes.push(NameRoute {
                is_search: is_search && suffix.is_some(),
                suffix,
                is_exact: false,
                to: to.clone(),
                order,
            });
        }
        routes
    }
}

/// Without a nameserver that can be asked, the system does what it does with these names: no other
/// nameserver is to see them.
fn target(nameservers: Vec<SocketAddr>) -> RouteTarget {
    if nameservers.is_empty() { RouteTarget::System } else { RouteTarget::Nameservers(nameservers) }
}

/// The route of one file in `/etc/resolver`, resolver(5): the domain of its name, or of its line
/// `domain`, is asked of its nameservers. Without a line `nameserver` it is none.
///
/// The file is written as resolv.conf(5) is. `search`, `options`, `timeout` and `sortlist` are
/// about whole lookups, and have no effect on a part of them.
fn file_route(
    file: &str,
    text: &[u8],
    diagnostics: &mut Diagnostics,
    interfaces: InterfaceIndex<'_>,
) -> Option<NameRoute> {
    if file.starts_with('.') {
        return None;
    }
    // Which file it is about is a part of the word: the line alone does not tell.
    let mut note = |line, cause, word: &[u8]| {
        diagnostics.note(line, cause, &[file.as_bytes(), b": ", word].concat());
    };
    let (mut domain, mut port, mut order) = (None, None, 0);
    let (mut nameservers, mut is_route): (Vec<(SocketAddr, bool)>, _) = (Vec::new(), false);
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        let line = line.split(|byte| b"#;".contains(byte)).next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { continue };
        let word = words.next().unwrap_or_default();
        match keyword {
            b"domain" | b"nameserver" | b"port" | b"search_order" if word.is_empty() => {
                note(number, DiagnosticCause::MissingValue, keyword);
            }
            b"domain" => domain = Some((word, number)),
            b"nameserver" => {
                is_route = true;
                match nameserver(word, interfaces) {
                    Ok((SocketAddr::V6(addr), _)) if lacks_scope(addr) => {
                        note(number, DiagnosticCause::Zone, word);
                    }
                    Ok(nameserver) if nameservers.contains(&nameserver) => {}
                    Ok(_) if nameservers.len() >= MAX_NAMESERVERS => {
                        note(number, DiagnosticCause::TooManyNameservers, word);
                    }
                    Ok(nameserver) => nameservers.push(nameserver),
                    Err(cause) => note(number, cause, word),
                }
            }
            b"port" => match number_of(word).filter(|&port: &u16| port != 0) {
                Some(number) => port = Some(number),
                None => note(number, DiagnosticCause::Port, word),
            },
            b"search_order" => match number_of(word) {
                Some(number) => order = number,
                None => note(number, DiagnosticCause::OptionValue, keyword),
            },
            b"search" | b"options" | b"timeout" | b"sortlist" => {
                note(number, DiagnosticCause::UnsupportedKeyword, keyword);
            }
            _ => note(number, DiagnosticCause::UnknownKeyword, keyword),
        }
    }
    if !is_route {
        return None;
    }
    let (domain, line) = domain.unwrap_or((file.as_bytes(), 0));
    let suffix = match host_name::check(domain) {
        Ok(()) => {
            let name = str::from_utf8(domain).expect("a checked name is ASCII");
            HostName::from_checked(name).to_relative()
        }
        Err(error) => {
            note(line, DiagnosticCause::Name(error), domain);
            return None;
        }
    };
    let addresses = nameservers.into_iter().map(|(mut addr, has_port)| {
        if let Some(port) = port.filter(|_| !has_port) {
            addr.set_port(port);
        }
        addr
    });
    Some(NameRoute {
        suffix: Some(suffix),
        is_exact: false,
        to: target(addresses.collect()),
        order,
        is_search: false,
    })
}

/// The address of a nameserver, and whether it has a port of its own. resolver(5): "the address may
/// be followed by a trailing dot and a port number", as in `10.0.0.17.55`.
fn nameserver(
    word: &[u8],
    interfaces: InterfaceIndex<'_>,
) -> Result<(SocketAddr, bool), DiagnosticCause> {
    let text = str::from_utf8(word).map_err(|_| DiagnosticCause::Address)?;
    let error = match parse_nameserver(text, interfaces) {
        Ok(addr) => return Ok((addr, false)),
        Err(error) => error,
    };
    let with_port = || {
        let (address, port) = text.rsplit_once('.')?;
        let mut addr = parse_nameserver(address, interfaces).ok()?;
        addr.set_port(number_of(port.as_bytes()).filter(|&port| port != 0)?);
        Some((addr, true))
    };
    with_port().ok_or_else(|| error.into())
}

/// Whether no packet can be sent to the address, which is of a link that is not known.
fn lacks_scope(addr: SocketAddrV6) -> bool {
    addr.ip().is_unicast_link_local() && addr.scope_id() == 0
}

fn number_of<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    // Digits alone: `FromStr` takes a plus sign as well.
    let text = str::from_utf8(word).ok().filter(|_| word.iter().all(u8::is_ascii_digit))?;
    text.parse().ok()
}

#[cfg(test)]
mod tests;
