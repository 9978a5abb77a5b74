//! [`Diagnostic`]: a part of the configuration that could not be used, or that sends names
//! elsewhere.

use std::fmt;
use std::io;

use crate::NameError;
use crate::zone::ScopedIpError;

/// A part of the configuration that could not be used, and why.
///
/// A file is never refused as a whole: a word or line that is wrong is skipped, and reported by one
/// of these. [`Display`](fmt::Display) makes it one line, such as `resolv.conf line 3: "nameservr":
/// unknown keyword`.
///
/// Three causes are no complaint, but say why names are asked of the operating system:
/// [`NamesGoToSystem`](DiagnosticCause::NamesGoToSystem),
/// [`SomeNamesGoToSystem`](DiagnosticCause::SomeNamesGoToSystem) and
/// [`UnfoundNamesGoToSystem`](DiagnosticCause::UnfoundNamesGoToSystem).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    source: ConfigSource,
    line: usize,
    cause: DiagnosticCause,
    word: Option<Box<str>>,
}

/// The source of a part of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigSource {
    /// The file resolv.conf.
    ResolvConf,
    /// The environment variable `RES_OPTIONS`.
    ResOptions,
    /// The environment variable `LOCALDOMAIN`.
    LocalDomain,
    /// The hosts file.
    Hosts,
    /// The file nsswitch.conf.
    Nsswitch,
    /// The environment variable `HOSTALIASES`.
    HostAliases,
    /// The environment variable `ASR_CONFIG`, of OpenBSD.
    AsrConfig,
    /// The environment variable `OUTRACE_SOURCE`.
    OutraceSource,
    /// The file gai.conf, which [`PolicyTable`](crate::happy_eyeballs::PolicyTable) is read from.
    GaiConf,
    /// The network adapters of Windows.
    Adapters,
    /// The registry of Windows.
    Registry,
    /// The dynamic store of macOS, which has the resolvers of its network services.
    DynamicStore,
    /// The files in `/etc/resolver` of macOS. The word begins with the name of the file.
    ResolverDirectory,
    /// The program itself: a name given to [`ResolverBuilder::host`](super::ResolverBuilder::host),
    /// a route given to [`ResolverBuilder::route`](super::ResolverBuilder::route), or a setting
    /// that does not go with another.
    Builder,
    /// The routes of the program and of the machine, taken together.
    Routes,
}

/// Why a part of the configuration could not be used, and what holds instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiagnosticCause {
    /// The file could not be read; the defaults hold. Of nsswitch.conf, and of a resolv.conf that
    /// fails otherwise than by its permissions, the operating system is asked until it can be read.
    Unreadable(io::ErrorKind),
    /// The first word of the line is not a keyword of resolv.conf(5); the line is ignored.
    UnknownKeyword,
    /// The keyword needs a value and has none; the line is ignored. Without a module behind
    /// `hosts`, the hosts file and then the nameservers are asked.
    MissingValue,
    /// The keyword is not supported; the line is ignored.
    UnsupportedKeyword,
    /// The option is unknown; it is ignored, and the others on its line hold.
    UnknownOption,
    /// The option needs a number after a colon; it is ignored, and the others on its line hold.
    OptionValue,
    /// The number is out of range; the nearest one in range holds.
    OptionRange,
    /// The word is not an IP address; the line is ignored.
    Address,
    /// The zone of the address is neither a scope id nor an interface of this machine; the line is
    /// ignored as long as that is so.
    Zone,
    /// Neither resolv.conf nor the builder has a nameserver; `127.0.0.1` is used (resolv.conf(5)).
    NoNameserver,
    /// Neither the program nor the system has a nameserver, and there is no default on a system
    /// without a resolv.conf; lookups that need one end with
    /// [`Misconfigured`](super::LookupErrorKind::Misconfigured).
    NoDefaultNameserver,
    /// The number of suffixes of the search list that are not used, this one and those behind it,
    /// because 64 come before them.
    TooManySuffixes(usize),
    /// Three nameservers come before this one; it is not used.
    TooManyNameservers,
    /// The route has no nameserver that can be asked; its names are refused, as with
    /// [`route_refuse`](super::ResolverBuilder::route_refuse).
    EmptyRoute,
    /// The number of routes that are not used, because there are 1,024 others: those of the
    /// program, then those of the machine, and of either first those with the most labels.
    /// Names below their suffixes take the route of a shorter suffix.
    TooManyRoutes(usize),
    /// The word is not a host name; it is ignored, and the others on its line hold.
    Name(NameError),
    /// No name follows the address; the line is ignored.
    NoNames,
    /// The value is of another type than it should be; it is ignored.
    ValueType,
    /// The value is not an XML property list to its end; what stands before the fault counts.
    PropertyList,
    /// The number is not a port; it is ignored.
    Port,
    /// More text than the keyword or option takes, as in `timeout:1,attempts:1`; it is ignored.
    ExtraText,
    /// The file has 4 GiB or more; this line and all after it are ignored.
    TooLarge,
    /// The criteria in brackets cannot be read; the hosts file and then the nameservers are asked,
    /// as without the line.
    Criteria,
    /// `#` is no comment in the middle of this line: the words behind it are modules.
    NoComment,
    /// The last line of nsswitch.conf has no line feed; it is ignored, as the C library does.
    NoLineFeed,
    /// Neither `own` nor `system` nor `auto`; it is ignored.
    UnknownSource,
    /// The operating system is asked ([`Source`](super::Source)), which does not heed this setting
    /// of the program.
    NotForSystem,
    /// For this reason, every name that the hosts file does not answer is asked of the operating
    /// system. The word is a module of nsswitch.conf.
    NamesGoToSystem,
    /// The names that this module of nsswitch.conf may know are asked of the operating system;
    /// those without a dot, with `HOSTALIASES`.
    SomeNamesGoToSystem,
    /// Names of which the nameservers have no address are then asked of the operating system, for
    /// this module of nsswitch.conf.
    UnfoundNamesGoToSystem,
    /// The number of further diagnostics, which were not kept.
    Omitted(usize),
}

impl Diagnostic {
    /// Returns the file or variable.
    pub fn config_source(&self) -> ConfigSource {
        self.source
    }

    /// Returns the number of the line, from 1; 0 for the whole file or variable, and
    /// for the program.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the cause.
    pub fn cause(&self) -> DiagnosticCause {
        self.cause
    }

    /// Returns the first 64 characters of the word that could not be used; unprintable ones are
    /// escaped as in Rust.
    pub fn word(&self) -> Option<&str> {
        self.word.as_deref()
    }

    /// Makes the diagnostic of a configuration without a nameserver.
    pub(crate) fn no_nameserver() -> Self {
        let (source, cause) = (ConfigSource::ResolvConf, DiagnosticCause::NoNameserver);
        Self { source, line: 0, cause, word: None }
    }

    /// Makes a diagnostic about one word; about all of `source` without.
    pub(crate) fn about(
        source: ConfigSource,
        line: usize,
        cause: DiagnosticCause,
        word: &str,
    ) -> Self {
        let mut diagnostics = Diagnostics::new(source);
        diagnostics.note(line, cause, word.as_bytes());
        diagnostics.kept.remove(0)
    }

    /// Whether nothing is wrong: it says whom names are asked of.
    #[cfg(feature = "tracing")]
    pub(crate) fn is_note(&self) -> bool {
        matches!(
            self.cause,
            DiagnosticCause::NamesGoToSystem
                | DiagnosticCause::SomeNamesGoToSystem
                | DiagnosticCause::UnfoundNamesGoToSystem
        )
    }

    /// Of a file that could not be read, the reason.
    pub(crate) fn unreadable_kind(&self) -> Option<io::ErrorKind> {
        match self.cause {
            DiagnosticCause::Unreadable(kind) => Some(kind),
            _ => None,
        }
    }

    /// Makes the diagnostic of a configuration without a nameserver, where none is the default.
    pub(crate) fn no_default_nameserver() -> Self {
        Self { cause: DiagnosticCause::NoDefaultNameserver, ..Self::no_nameserver() }
    }

    /// Makes the diagnostic of so many routes that are too many.
    pub(crate) fn too_many_routes(count: usize) -> Self {
        let (source, cause) = (ConfigSource::Routes, DiagnosticCause::TooManyRoutes(count));
        Self { source, line: 0, cause, word: None }
    }

    /// Makes the diagnostic of a file that could not be read.
    pub(crate) fn unreadable(source: ConfigSource, error: &io::Error) -> Self {
        Self { source, line: 0, cause: DiagnosticCause::Unreadable(error.kind()), word: None }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
        f.write_str(": ")?;
        if let Some(word) = &self.word {
            write!(f, "\"{word}\": ")?;
        }
        write!(f, "{}", self.cause)
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ResolvConf => "resolv.conf",
            Self::ResOptions => "RES_OPTIONS",
            Self::LocalDomain => "LOCALDOMAIN",
            Self::Hosts => "hosts",
            Self::Nsswitch => "nsswitch.conf",
            Self::HostAliases => "HOSTALIASES",
            Self::AsrConfig => "ASR_CONFIG",
            Self::OutraceSource => "OUTRACE_SOURCE",
            Self::GaiConf => "gai.conf",
            Self::Adapters => "network adapters",
            Self::Registry => "registry",
            Self::DynamicStore => "dynamic store",
            Self::ResolverDirectory => "/etc/resolver",
            Self::Builder => "builder",
            Self::Routes => "routes",
        })
    }
}

impl fmt::Display for DiagnosticCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable(kind) => return write!(f, "cannot be read ({kind})"),
            Self::UnknownKeyword => "unknown keyword",
            Self::MissingValue => "the value is missing",
            Self::UnsupportedKeyword => "not supported",
            Self::UnknownOption => "unknown option",
            Self::OptionValue => "the option needs a number",
            Self::OptionRange => "out of range, the nearest value in range is used",
            Self::Address => "not an IP address",
            Self::Zone => "no such interface",
            Self::NoNameserver => "no nameserver, 127.0.0.1 is used",
            Self::NoDefaultNameserver => "no nameserver, and this system has no default one",
            Self::TooManySuffixes(count) => {
                return write!(f, "{count} suffixes are not searched, 64 come before them");
            }
            Self::TooManyNameservers => "not used, three nameservers come before it",
            Self::EmptyRoute => "no nameserver, the names are refused",
            Self::TooManyRoutes(count) => {
                return write!(f, "{count} routes are not used, there are 1,024 others");
            }
            Self::Name(error) => return write!(f, "{error}"),
            Self::NoNames => "no name for the address",
            Self::ValueType => "a value of another type",
            Self::PropertyList => "not a property list to its end",
            Self::Port => "not a port",
            Self::ExtraText => "extra text, which is ignored",
            Self::TooLarge => "the file is too large",
            Self::Criteria => "not a criterion, the hosts file and the nameservers are asked",
            Self::NoComment => "no comment here, the words behind it are modules",
            Self::NoLineFeed => "the line does not end, it is ignored",
            Self::UnknownSource => "neither own nor system nor auto",
            Self::NotForSystem => "not used, the operating system is asked",
            Self::NamesGoToSystem => "names are asked of the operating system",
            Self::SomeNamesGoToSystem => "some names are asked of the operating system",
            Self::UnfoundNamesGoToSystem => {
                "names that are not found are asked of the operating system"
            }
            Self::Omitted(count) => return write!(f, "{count} more diagnostics"),
        })
    }
}

impl From<ScopedIpError> for DiagnosticCause {
    fn from(error: ScopedIpError) -> Self {
        match error {
            ScopedIpError::Address => Self::Address,
            ScopedIpError::Zone => Self::Zone,
        }
    }
}

/// The diagnostics of one file or variable while it is read.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostics {
    source: ConfigSource,
    kept: Vec<Diagnostic>,
    omitted: usize,
}

impl Diagnostics {
    /// A block list of a hundred thousand bad lines must not take memory for each.
    const MOST_KEPT: usize = 64;

    /// Enough to recognize the word.
    const MOST_CHARS: usize = 64;

    pub(crate) fn new(source: ConfigSource) -> Self {
        Self { source, kept: Vec::new(), omitted: 0 }
    }

    /// Sets the source of the diagnostics that follow.
    pub(crate) fn continue_with(&mut self, source: ConfigSource) {
        self.source = source;
    }

    /// Appends a diagnostic about `word` on `line`.
    pub(crate) fn note(&mut self, line: usize, cause: DiagnosticCause, word: &[u8]) {
        if self.kept.len() >= Self::MOST_KEPT {
            self.omitted += 1;
            return;
        }
        let word = String::from_utf8_lossy(&word[..word.len().min(4 * Self::MOST_CHARS)]);
        let word: String =
            word.chars().take(Self::MOST_CHARS).flat_map(char::escape_debug).collect();
        let word = (!word.is_empty()).then(|| word.into());
        self.kept.push(Diagnostic { source: self.source, line, cause, word });
    }

    pub(crate) fn into_vec(mut self) -> Vec<Diagnostic> {
        if self.omitted > 0 {
            let cause = DiagnosticCause::Omitted(self.omitted);
            self.kept.push(Diagnostic { source: self.source, line: 0, cause, word: None });
        }
        self.kept
    }
}
