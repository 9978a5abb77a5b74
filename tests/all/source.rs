//! Who looks names up, as a program sees it: `Source`, and why.

use outrace::resolve::{DiagnosticCause, Source};
use outrace::{HostName, Resolver, ResolverBuilder};

fn source_for(builder: ResolverBuilder, name: &str) -> Source {
    let name: HostName = name.parse().unwrap();
    builder.build().source_for(&name)
}

#[test]
fn os31_a_program_that_gives_nameservers_gets_the_stub_resolver_on_every_system() {
    let nameservers = ["192.0.2.53:53".parse().unwrap()];
    for builder in [
        Resolver::builder().nameservers(nameservers),
        Resolver::builder().without_system_configuration(),
        Resolver::builder().source(Source::Own),
        Resolver::builder().search([]).source(Source::Auto),
    ] {
        assert_eq!(source_for(builder.clone(), "www.example"), Source::Own);
        let diagnostics = builder.build().diagnostics();
        assert!(
            !diagnostics.iter().any(|d| d.cause() == DiagnosticCause::NamesGoToSystem),
            "{diagnostics:?}"
        );
    }
}

#[cfg(feature = "system")]
mod system {
    use super::*;
    use crate::support::copy_of_this_process;
    use outrace::resolve::{ConfigSource, Diagnostic};

    /// An nsswitch.conf of a test's own.
    struct File(std::path::PathBuf);

    impl File {
        fn new(name: &str, text: &str) -> Self {
            let name = format!("outrace-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    #[test]
    fn os31_the_system_with_nameservers_of_the_program_is_the_system_and_says_so() {
        let nameservers = ["192.0.2.53:53".parse().unwrap()];
        let resolver = Resolver::builder().nameservers(nameservers).source(Source::System).build();
        assert_eq!(resolver.source_for(&"www.example".parse().unwrap()), Source::System);
        let diagnostics = resolver.diagnostics();
        let about = |d: &&Diagnostic| d.config_source() == ConfigSource::Builder;
        let found: Vec<_> = diagnostics.iter().filter(about).collect();
        let [diagnostic] = found[..] else { panic!("{diagnostics:?}") };
        assert_eq!(diagnostic.cause(), DiagnosticCause::NotForSystem);
        assert_eq!(diagnostic.word(), Some("nameservers"));
    }

    #[test]
    fn os23_nsswitch_conf_says_which_names_are_of_the_system() {
        let file = File::new("nsswitch", "hosts: files mdns4_minimal [NOTFOUND=return] dns\n");
        let builder = Resolver::builder().nsswitch(&file.0);
        for (name, expected) in [
            ("printer.local", Source::System),
            ("www.example", Source::Own),
            ("localhost", Source::Own),
            ("x.onion", Source::Own),
        ] {
            assert_eq!(source_for(builder.clone(), name), expected, "{name}");
        }
        let because = "nsswitch.conf line 1: \"mdns4_minimal\": some names are asked of the \
                       operating system";
        let diagnostics = builder.clone().build().diagnostics();
        assert!(diagnostics.iter().any(|d| d.to_string() == because), "{diagnostics:?}");

        let here = builder.host("printer.local", ["192.0.2.1".parse().unwrap()]);
        assert_eq!(source_for(here, "printer.local"), Source::Own, "the program's own");
    }

    /// The machine's own name, which no packet is sent for.
    #[cfg(windows)]
    #[tokio::test]
    async fn sy31_windows_is_asked_by_default_and_knows_the_name_of_the_machine() {
        let name = std::env::var("COMPUTERNAME").unwrap();
        let resolver = Resolver::builder().build();
        assert_eq!(resolver.source_for(&name.parse().unwrap()), Source::System);
        let addrs = resolver.lookup((name.as_str(), 80)).into_addrs().await.unwrap();
        assert!(!addrs.is_empty() && addrs.iter().all(|addr| addr.port() == 80), "{addrs:?}");
        let stats = resolver.stats();
        assert_eq!((stats.system_lookups, stats.udp_queries, stats.tcp_queries), (1, 0, 0));
    }

    /// What nameservers do not have is asked of the system then: they are asked first.
    #[test]
    fn os25_own_then_system_is_own() {
        let file = File::new("nsswitch-then", "hosts: files dns sss\n");
        let builder = Resolver::builder().nsswitch(&file.0);
        assert_eq!(source_for(builder.clone(), "www.example"), Source::Own);
        let causes: Vec<_> = builder.build().diagnostics().iter().map(Diagnostic::cause).collect();
        assert!(causes.contains(&DiagnosticCause::UnfoundNamesGoToSystem), "{causes:?}");
    }

    /// In a process of its own, as the environment is that of the process.
    #[test]
    fn os32_the_search_list_of_the_environment_is_ours_and_its_aliases_are_not() {
        const CHILD: &str = "OUTRACE_TEST_ALIASES";
        if std::env::var_os(CHILD).is_some() {
            let file = File::new("nsswitch-aliases", "hosts: files dns\n");
            let resolver = Resolver::builder().nsswitch(&file.0).build();
            let of = |name: &str| resolver.source_for(&name.parse().unwrap());
            return println!("<{:?} {:?} {resolver:?}>", of("www"), of("www.example"));
        }
        let test = "source::system::\
                    os32_the_search_list_of_the_environment_is_ours_and_its_aliases_are_not";
        for (aliases, expected) in [("/etc/aliases", "<System Own"), ("", "<Own Own")] {
            let Some(mut copy) = copy_of_this_process(test) else { return };
            copy.env(CHILD, "1").env("HOSTALIASES", aliases);
            copy.env("LOCALDOMAIN", "lab.example").env("RES_OPTIONS", "ndots:3");
            let output = copy.output().unwrap();
            let output = String::from_utf8_lossy(&output.stdout);
            assert!(output.contains(expected), "{aliases}: {output}");
            assert!(output.contains("lab.example"), "{output}");
        }
    }

    /// In a process of its own, as the environment is that of the process.
    #[test]
    fn the_environment_says_who_is_asked_unless_the_program_does() {
        const CHILD: &str = "OUTRACE_TEST_SOURCE";
        if std::env::var_os(CHILD).is_some() {
            let name = "www.example";
            let own = Resolver::builder().without_system_configuration();
            let (left, given) = (Resolver::builder(), Resolver::builder().source(Source::Own));
            let unknown = left.clone().build().diagnostics();
            let unknown = unknown.iter().any(|d| d.cause() == DiagnosticCause::UnknownSource);
            let sources = [left, given, own].map(|builder| source_for(builder, name));
            return println!("<{sources:?} {unknown}>");
        }
        for (word, expected) in [
            ("system", "<[System, Own, Own] false>"),
            ("own", "<[Own, Own, Own] false>"),
            ("SYSTEM", " true>"),
        ] {
            let test = "source::system::the_environment_says_who_is_asked_unless_the_program_does";
            let Some(mut copy) = copy_of_this_process(test) else { return };
            let output = copy.env(CHILD, "1").env("OUTRACE_SOURCE", word).output().unwrap();
            let output = String::from_utf8_lossy(&output.stdout);
            assert!(output.contains(expected), "{word}: {output}");
        }
    }
}
