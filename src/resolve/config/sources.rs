//! Which sources there are for names, by nsswitch.conf, the environment and what runs on this
//! machine: read when a resolver is built, and again when it has changed.

use std::path::Path;

use super::files::{
    SourceEnvironment, as_read, fingerprint, read_machine_facts, read_nsswitch,
    read_source_environment,
};
use super::nsswitch::{HostsLine, Nsswitch};
use super::reload::{Trust, Watch};
use super::resolv_conf::ResolvConf;
use super::settings::Settings;
use crate::resolve::Source;
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause};
use crate::resolve::names::source::{Decision, Facts, MachineFacts, Needs, decide};

/// The sources as they were read last.
pub(crate) struct Sources {
    /// What the program wants, or the environment in its place.
    wanted: Source,
    nsswitch: Nsswitch,
    watch: Watch,
    machine: MachineFacts,
    has_hostaliases: bool,
    has_asr_config: bool,
    /// What does not go with what is wanted.
    diagnostics: Vec<Diagnostic>,
}

/// The resolv.conf that the choice depends on.
#[derive(Clone, Copy)]
pub(crate) struct ConfRead<'a> {
    pub(crate) conf: &'a ResolvConf,
    /// Why it could not be read, if it is there.
    pub(crate) failure: Option<std::io::ErrorKind>,
    pub(crate) is_missing: bool,
}

impl Sources {
    /// Reads them, and the environment.
    pub(crate) fn read(settings: &Settings) -> Self {
        Self::read_with(settings, read_source_environment(settings.environment))
    }

    /// Reads them. If only the stub resolver is asked, no file is read.
    fn read_with(settings: &Settings, environment: SourceEnvironment) -> Self {
        let mut diagnostics = Vec::new();
        let variable = environment.source.filter(|_| settings.source.is_none());
        let by_variable = variable.as_deref().and_then(Source::of_word);
        if let (Some(word), None) = (&variable, by_variable) {
            let (source, cause) = (ConfigSource::OutraceSource, DiagnosticCause::UnknownSource);
            diagnostics.push(Diagnostic::about(source, 0, cause, word));
        }
        let wanted = settings.source_wanted(by_variable);
        let path = settings.nsswitch.as_deref().filter(|_| wanted != Source::Own);
        let print = fingerprint(path);
        let read = read_nsswitch(path);
        for setting in settings.settings_unused_by(wanted) {
            let (source, cause) = (ConfigSource::Builder, DiagnosticCause::NotForSystem);
            diagnostics.push(Diagnostic::about(source, 0, cause, setting));
        }
        Self {
            wanted,
            watch: Watch::new(as_read(print, read.unreadable.as_ref())),
            machine: read_machine_facts(Needs::of(&read.content.hosts)),
            nsswitch: read.content,
            has_hostaliases: environment.has_hostaliases,
            has_asr_config: environment.has_asr_config,
            diagnostics,
        }
    }

    /// Reads again what has changed. Returns whether anything has.
    pub(crate) fn reload(&mut self, settings: &Settings) -> bool {
        if self.wanted == Source::Own {
            return false;
        }
        let path = settings.nsswitch.as_deref();
        let is_new_file = path.is_some_and(|path| self.reload_nsswitch(path));
        let machine = read_machine_facts(Needs::of(&self.nsswitch.hosts));
        let before = std::mem::replace(&mut self.machine, machine);
        is_new_file || before != self.machine
    }

    fn reload_nsswitch(&mut self, path: &Path) -> bool {
        let before = fingerprint(Some(path));
        if !self.watch.has_changed(&before) {
            return false;
        }
        let read = read_nsswitch(Some(path));
        if read.unreadable.is_some() {
            return false;
        }
        // A file without the line may be one that is being written.
        let makes_sense = matches!(read.content.hosts, HostsLine::Modules { .. });
        let trust = self.watch.judge(before, &fingerprint(Some(path)), makes_sense);
        if trust == Trust::Believed {
            self.nsswitch = read.content;
        }
        trust == Trust::Believed
    }

    /// Whom names are asked of, and why.
    pub(crate) fn decide(&self, settings: &Settings, read: ConfRead<'_>) -> Decision {
        if self.wanted == Source::Own {
            return Decision::default();
        }
        let decision = decide(&Facts {
            service: settings.name_service,
            hosts_line: &self.nsswitch.hosts,
            conf: read.conf,
            conf_failure: read.failure,
            is_conf_missing: read.is_missing,
            has_hostaliases: self.has_hostaliases,
            has_asr_config: self.has_asr_config,
            machine: &self.machine,
        });
        if self.wanted == Source::Auto { decision } else { decision.by_request() }
    }

    /// What could not be used.
    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.nsswitch.diagnostics.iter().chain(&self.diagnostics)
    }
}

#[cfg(all(test, feature = "system"))]
impl Sources {
    /// A look at the machine that found another name.
    pub(crate) fn set_hostname(&mut self, hostname: &str) {
        self.machine.hostname = Some(hostname.into());
    }
}

#[cfg(all(test, feature = "system"))]
mod tests {
    use super::*;

    fn wanted(source: Option<Source>, variable: &str, own_calls: &[&'static str]) -> Sources {
        let own_calls = own_calls.to_vec();
        let settings = Settings { source, own_calls, nsswitch: None, ..Settings::default() };
        let variable = Some(variable.to_owned()).filter(|word| !word.is_empty());
        Sources::read_with(&settings, SourceEnvironment { source: variable, ..Default::default() })
    }

    #[test]
    fn os31_the_program_then_the_environment_then_the_settings_of_the_program_say_who_is_asked() {
        use Source::{Auto, Own, System};
        for (source, variable, own_calls, expected) in [
            (None, "", &[][..], Auto),
            (None, "own", &[], Own),
            (None, "system", &[], System),
            (None, "auto", &[], Auto),
            (None, "", &["nameservers"], Own),
            (None, "auto", &["nameservers"], Own),
            (None, "system", &["nameservers"], System),
            (Some(Auto), "system", &[], Auto),
            (Some(Auto), "system", &["ndots"], Own),
            (Some(Own), "system", &[], Own),
            (Some(System), "own", &[], System),
            (Some(System), "", &["nameservers"], System),
        ] {
            let sources = wanted(source, variable, own_calls);
            let given = format!("{source:?}, {variable}, {own_calls:?}");
            assert_eq!(sources.wanted, expected, "{given}");
        }
    }

    #[test]
    fn os31_settings_that_the_system_does_not_heed_are_diagnostics() {
        let texts = |sources: Sources| -> Vec<_> {
            sources.diagnostics().map(Diagnostic::to_string).collect()
        };
        let given = ["nameservers", "hosts", "without_system_configuration", "edns"];
        let expected = [
            "builder: \"nameservers\": not used, the operating system is asked",
            "builder: \"edns\": not used, the operating system is asked",
        ];
        assert_eq!(texts(wanted(Some(Source::System), "", &given)), expected);
        assert_eq!(texts(wanted(None, "system", &given)), expected);
        assert_eq!(texts(wanted(None, "", &given)), [""; 0]);
        assert_eq!(texts(wanted(Some(Source::Own), "", &given)), [""; 0]);
    }

    #[test]
    fn an_unknown_word_of_the_environment_is_a_diagnostic_and_changes_nothing() {
        for word in ["System", "glibc", "own,system"] {
            let sources = wanted(None, word, &[]);
            assert_eq!(sources.wanted, Source::Auto);
            let [diagnostic] = &sources.diagnostics[..] else { panic!("{word}") };
            let expected = format!("OUTRACE_SOURCE: \"{word}\": neither own nor system nor auto");
            assert_eq!(diagnostic.to_string(), expected);
            assert_eq!(wanted(Some(Source::Own), word, &[]).diagnostics, [], "it does not count");
        }
    }
}
