//! resolv.conf(5): from text to nameservers, search list and options.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::name_routes::NameRoute;
use crate::HostName;
use crate::host_name;
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};
use crate::resolve::names::search::SearchRule;
use crate::resolve::stub::query::MAX_NAMESERVERS;
use crate::zone::{InterfaceIndex, ScopedIpError, parse_scoped_ip};

/// The configuration of a stub resolver, as resolv.conf(5) gives it.
///
/// A file is never refused as a whole. A word or line that is wrong is skipped, with a diagnostic;
/// what is missing has its default. An empty text gives the configuration of a machine without the
/// file.
///
/// Not supported: `sortlist`, since addresses are ordered by RFC 6724, and the keywords of other
/// systems, such as `family` of OpenBSD. `lookup` is read on OpenBSD alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvConf {
    /// One to three, in file order; `127.0.0.1:53` if the file has none.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// Whether the file has a nameserver that can be used.
    pub(crate) has_nameserver: bool,
    /// The domains of the last `search` or `domain` line, in order; without such a line the domain
    /// of the machine's own name, if it has one.
    pub(crate) search: Arc<[HostName]>,
    /// Whether the same text may give something else later: it names an interface, or has no search
    /// list, so that the machine's own name gives it.
    pub(crate) depends_on_machine: bool,
    /// The last line `lookup`.
    pub(crate) lookup: Option<LookupLine>,
    /// The options.
    pub(crate) options: Options,
    /// What holds in place of `ndots`, on a system that has another rule.
    pub(crate) search_rule: Option<SearchRule>,
    /// Names that go elsewhere, on a system that knows such: no file has any.
    pub(crate) routes: Vec<NameRoute>,
    /// The words and lines that could not be used.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The sources of a name in their order, on OpenBSD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookupLine {
    /// Its number, from 1.
    pub(crate) line: usize,
    /// One at least.
    pub(crate) words: Vec<LookupWord>,
}

/// A word of [`LookupLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupWord {
    /// The nameservers.
    Bind,
    /// The hosts file.
    File,
    /// `yp`, or an unknown word.
    Other,
}

/// The options of resolv.conf(5).
///
/// Recognized without effect: `debug`, `inet6`, `no-check-names`, `ip6-bytestring`, `ip6-dotint`,
/// `no-ip6-dotint`, which are about functions that this resolver does not have, and `strict-error`,
/// which is always on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option, free of the others")]
pub(crate) struct Options {
    /// `ndots`: names with at least as many dots are tried as they are first. Default 1, 0 to 15.
    pub(crate) ndots: u8,
    /// `timeout`: default 5 s, 1 s to 30 s. See [`budget`](Self::budget).
    pub(crate) timeout: Duration,
    /// `attempts`: default 2, 1 to 5.
    pub(crate) attempts: u8,
    /// Whether `timeout` or `attempts` was given: see [`budget`](Self::budget).
    pub(crate) sets_budget: bool,
    /// `rotate`: start with each nameserver in turn.
    pub(crate) rotate: bool,
    /// `use-vc` (and `usevc`, `tcp`, its names elsewhere): TCP only.
    pub(crate) use_vc: bool,
    /// `edns0`: EDNS in queries. On unless cleared by `-edns0`: glibc's default is off, but without
    /// EDNS every answer over 512 bytes costs a second exchange over TCP.
    pub(crate) edns0: bool,
    /// `single-request`: one family, then the other.
    pub(crate) single_request: bool,
    /// `single-request-reopen`: a socket each for A and AAAA.
    pub(crate) single_request_reopen: bool,
    /// `no-aaaa`: no AAAA queries.
    pub(crate) no_aaaa: bool,
    /// `trust-ad`: the AD bit in queries (RFC 6840 section 5.7).
    pub(crate) trust_ad: bool,
    /// `no-reload`: a changed file is not read again.
    pub(crate) no_reload: bool,
    /// `no-tld-query`: a name without a dot is not tried as it is, after the search list.
    pub(crate) no_tld_query: bool,
}

/// The rest that the configuration depends on, besides the file.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    /// The machine's own name.
    pub(crate) hostname: Option<&'a str>,
    /// `RES_OPTIONS`: options that come after those of the file.
    pub(crate) res_options: Option<&'a str>,
    /// `LOCALDOMAIN`: a search list that replaces the file's.
    pub(crate) localdomain: Option<&'a str>,
    /// Returns the index of an interface by its name.
    pub(crate) interfaces: InterfaceIndex<'a>,
    /// Whether the keyword `lookup` means something: on OpenBSD.
    pub(crate) has_lookup: bool,
}

/// A file alone, on a machine without a name and without interfaces.
#[cfg(test)]
impl Default for Env<'_> {
    fn default() -> Self {
        Self {
            hostname: None,
            res_options: None,
            localdomain: None,
            interfaces: &|_| None,
            has_lookup: false,
        }
    }
}

/// The range of the option `ndots`.
pub(crate) const NDOTS: RangeInclusive<u8> = 0..=15;
/// The range of the option `attempts`.
pub(crate) const ATTEMPTS: RangeInclusive<u8> = 1..=5;

/// The longest time for one candidate name, as of the option `timeout` alone.
const MAX_BUDGET: Duration = Duration::from_secs(30);

const DNS_PORT: u16 = 53;

impl Default for Options {
    fn default() -> Self {
        Self {
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            sets_budget: false,
            rotate: false,
            use_vc: false,
            edns0: true,
            single_request: false,
            single_request_reopen: false,
            no_aaaa: false,
            trust_ad: false,
            no_reload: false,
            no_tld_query: false,
        }
    }
}

impl Options {
    /// For how long one candidate name may be asked for.
    ///
    /// In the C library `timeout` is the time of one query to one nameserver, `attempts` how often
    /// all are asked: a file that says `timeout:1 attempts:5` has five seconds for each. A file
    /// that says neither leaves it at five seconds in all, where the C library would take ten a
    /// nameserver.
    pub(crate) fn budget(&self, attempts: u8) -> Duration {
        if self.sets_budget {
            (self.timeout * attempts.into()).min(MAX_BUDGET)
        } else {
            self.timeout
        }
    }
}

/// Parses a resolv.conf.
pub(crate) fn parse(text: &[u8], env: &Env<'_>) -> ResolvConf {
    let mut parser = Parser {
        nameservers: Vec::new(),
        search: None,
        names_interface: false,
        lookup: None,
        options: Options::default(),
        diagnostics: Diagnostics::new(ConfigSource::ResolvConf),
        interfaces: env.interfaces,
        has_lookup: env.has_lookup,
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
        parser.line(line, number);
    }
    // resolv.conf(5): "The search keyword of a system's resolv.conf file can be overridden on a
    // per-process basis by setting the environment variable LOCALDOMAIN to a space-separated list
    // of search domains", and "the options keyword .. can be amended .. by setting .. RES_OPTIONS".
    if let Some(text) = env.localdomain {
        parser.diagnostics.continue_with(ConfigSource::LocalDomain);
        parser.search = Some(parser.names(text.as_bytes(), 0));
    }
    if let Some(text) = env.res_options {
        parser.diagnostics.continue_with(ConfigSource::ResOptions);
        parser.options(text.as_bytes(), 0);
    }

    let has_nameserver = !parser.nameservers.is_empty();
    if !has_nameserver {
        parser.nameservers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
    }
    ResolvConf {
        depends_on_machine: parser.names_interface || parser.search.is_none(),
        nameservers: parser.nameservers,
        has_nameserver,
        search: parser.search.unwrap_or_else(|| Vec::from_iter(domain_of(env.hostname))).into(),
        lookup: parser.lookup,
        options: parser.options,
        search_rule: None,
        routes: Vec::new(),
        diagnostics: parser.diagnostics.into_vec(),
    }
}

/// Parses the address of a nameserver, which has port 53.
///
/// The unspecified address means this machine, as in BIND. The kernel would send to loopback too,
/// but the response would come from another address than the query was sent to.
pub(crate) fn parse_nameserver(
    text: &str,
    interfaces: InterfaceIndex<'_>,
) -> Result<SocketAddr, ScopedIpError> {
    let (ip, scope) = parse_scoped_ip(text, interfaces)?;
    Ok(match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, DNS_PORT).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, DNS_PORT).into(),
        IpAddr::V4(ip) => (ip, DNS_PORT).into(),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, DNS_PORT, 0, scope).into(),
    })
}

/// Returns the domain of the machine's own name.
fn domain_of(hostname: Option<&str>) -> Option<HostName> {
    hostname?.split_once('.')?.1.parse().ok()
}

struct Parser<'a> {
    nameservers: Vec<SocketAddr>,
    search: Option<Vec<HostName>>,
    names_interface: bool,
    lookup: Option<LookupLine>,
    options: Options,
    diagnostics: Diagnostics,
    interfaces: InterfaceIndex<'a>,
    has_lookup: bool,
}

impl Parser<'_> {
    fn line(&mut self, line: &[u8], number: usize) {
        // A comment may end the line; no keyword, address, name or option has these bytes.
        let line = line.split(|byte| b"#;".contains(byte)).next().unwrap_or(line).trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (keyword, rest) = line.split_at(end);
        match keyword {
            b"" => {}
            b"nameserver" | b"domain" | b"search" | b"options" if rest.is_empty() => {
                self.diagnostics.note(number, DiagnosticCause::MissingValue, keyword);
            }
            b"nameserver" => {
                let word = self.only_word(rest, number);
                self.nameserver(word, number);
            }
            // "The domain directive is an obsolete name for the search directive that handles one
            // search list entry only"; and "if more than one instance of these keywords is
            // present, the last instance wins".
            b"domain" => {
                let word = self.only_word(rest, number);
                self.search = Some(self.names(word, number));
            }
            b"search" => self.search = Some(self.names(rest, number)),
            b"options" => self.options(rest, number),
            b"lookup" if self.has_lookup => self.lookup(rest, number),
            b"sortlist" => {
                self.diagnostics.note(number, DiagnosticCause::UnsupportedKeyword, keyword);
            }
            _ => self.diagnostics.note(number, DiagnosticCause::UnknownKeyword, keyword),
        }
    }

    /// Returns the first word; further ones are ignored, as in glibc.
    fn only_word<'t>(&mut self, text: &'t [u8], number: usize) -> &'t [u8] {
        let mut words = words(text);
        let word = words.next().unwrap_or_default();
        if let Some(extra) = words.next() {
            self.diagnostics.note(number, DiagnosticCause::ExtraText, extra);
        }
        word
    }

    fn nameserver(&mut self, word: &[u8], number: usize) {
        let Ok(text) = str::from_utf8(word) else {
            return self.diagnostics.note(number, DiagnosticCause::Address, word);
        };
        let zone = text.split('%').nth(1);
        self.names_interface |=
            zone.is_some_and(|zone| !zone.bytes().all(|byte| byte.is_ascii_digit()));
        let addr = match parse_nameserver(text, self.interfaces) {
            Ok(addr) => addr,
            Err(error) => return self.diagnostics.note(number, error.into(), word),
        };
        if self.nameservers.len() >= MAX_NAMESERVERS {
            return self.diagnostics.note(number, DiagnosticCause::TooManyNameservers, word);
        }
        self.nameservers.push(addr);
    }

    fn lookup(&mut self, text: &[u8], number: usize) {
        let words: Vec<_> = words(text).map(LookupWord::of).collect();
        if words.is_empty() {
            return self.diagnostics.note(number, DiagnosticCause::MissingValue, b"lookup");
        }
        self.lookup = Some(LookupLine { line: number, words });
    }

    fn names(&mut self, text: &[u8], number: usize) -> Vec<HostName> {
        let mut names = Vec::new();
        for word in words(text) {
            // With the root as suffix, a name is tried as it is, which a lookup does anyway. The
            // line `search .` means no search list.
            if word == b"." {
                continue;
            }
            match host_name::check(word) {
                Ok(()) => {
                    let name = str::from_utf8(word).expect("a checked name is ASCII");
                    names.push(HostName::from_checked(name));
                }
                Err(error) => self.diagnostics.note(number, DiagnosticCause::Name(error), word),
            }
        }
        names
    }

    fn options(&mut self, text: &[u8], number: usize) {
        let mut words = words(text).peekable();
        while let Some(word) = words.next() {
            let mut word = Cow::Borrowed(word);
            // `ndots: 2`: glibc skips blanks before a number.
            if word.ends_with(b":")
                && let Some(value) = words.next_if(|next| next[0].is_ascii_digit())
            {
                word.to_mut().extend(value);
            }
            if let Err(cause) = self.option(&word) {
                self.diagnostics.note(number, cause, &word);
            }
        }
    }

    /// Applies one option. An error says why it is ignored, or what of its number is.
    fn option(&mut self, word: &[u8]) -> Result<(), DiagnosticCause> {
        let options = &mut self.options;
        if let Some(colon) = word.iter().position(|&byte| byte == b':') {
            let (name, value) = (&word[..colon], &word[colon + 1..]);
            // The upper limits are glibc's: RES_MAXNDOTS, RES_MAXRETRANS and RES_MAXRETRY. With a
            // timeout or attempts of 0, every lookup would fail.
            let (value, complaint) = match name {
                b"ndots" => number_in(value, NDOTS)?,
                b"timeout" => number_in(value, 1..=30)?,
                b"attempts" => number_in(value, ATTEMPTS)?,
                _ => return Err(DiagnosticCause::UnknownOption),
            };
            options.sets_budget |= name != b"ndots";
            match name {
                b"ndots" => options.ndots = value,
                b"timeout" => options.timeout = Duration::from_secs(value.into()),
                _ => options.attempts = value,
            }
            return complaint.map_or(Ok(()), Err);
        }
        let (name, set) = match word {
            [b'-', name @ ..] => (name, false),
            name => (name, true),
        };
        let option = match name {
            b"rotate" => &mut options.rotate,
            b"use-vc" | b"usevc" | b"tcp" => &mut options.use_vc,
            b"edns0" => &mut options.edns0,
            b"single-request" => &mut options.single_request,
            b"single-request-reopen" => &mut options.single_request_reopen,
            b"no-aaaa" => &mut options.no_aaaa,
            b"trust-ad" => &mut options.trust_ad,
            b"no-reload" => &mut options.no_reload,
            b"no-tld-query" => &mut options.no_tld_query,
            b"debug" | b"inet6" | b"strict-error" | b"no-check-names" | b"ip6-bytestring"
            | b"ip6-dotint" | b"no-ip6-dotint" => return Ok(()),
            b"ndots" | b"timeout" | b"attempts" => return Err(DiagnosticCause::OptionValue),
            _ => return Err(DiagnosticCause::UnknownOption),
        };
        *option = set;
        Ok(())
    }
}

impl LookupWord {
    fn of(word: &[u8]) -> Self {
        match word {
            b"bind" => Self::Bind,
            b"file" => Self::File,
            _ => Self::Other,
        }
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Parses the number that `text` starts with, as glibc does. Returns the nearest one in range, and
/// a complaint if that is another one or if more text follows.
fn number_in(
    text: &[u8],
    range: RangeInclusive<u8>,
) -> Result<(u8, Option<DiagnosticCause>), DiagnosticCause> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Err(DiagnosticCause::OptionValue);
    }
    let value = digits.iter().fold(0_u32, |value, digit| {
        value.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
    });
    let (min, max) = range.into_inner();
    let nearest = u8::try_from(value).unwrap_or(u8::MAX).clamp(min, max);
    let complaint = if !rest.is_empty() {
        Some(DiagnosticCause::ExtraText)
    } else if u32::from(nearest) != value {
        Some(DiagnosticCause::OptionRange)
    } else {
        None
    };
    Ok((nearest, complaint))
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
