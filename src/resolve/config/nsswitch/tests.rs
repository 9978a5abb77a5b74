//! What each line of nsswitch.conf means, as glibc 2.36 reads it.

use proptest::prelude::*;

use super::*;
use crate::resolve::DiagnosticCause as Cause;

/// The modules of the line `hosts`, each with its criteria as glibc's actions; or why there are
/// none.
fn hosts(text: impl AsRef<[u8]>) -> String {
    match parse(text.as_ref()).hosts {
        HostsLine::Missing => "missing".to_owned(),
        HostsLine::Unreadable => unreachable!("only a file can be unreadable"),
        HostsLine::Broken => "broken".to_owned(),
        HostsLine::Empty => "empty".to_owned(),
        HostsLine::Modules { modules, .. } => {
            let texts: Vec<_> = modules.iter().map(text_of).collect();
            texts.join(" ")
        }
    }
}

/// The name, and the letters of what is done on success, notfound, unavail and tryagain, if that is
/// not the default `RCCC`.
fn text_of(module: &Module) -> String {
    let actions = [Status::Success, Status::NotFound, Status::Unavail, Status::TryAgain]
        .map(|status| module.action_on(status))
        .map(|action| match action {
            Action::Return => 'R',
            Action::Continue => 'C',
            Action::Merge => 'M',
        });
    let actions = String::from_iter(actions);
    if actions == "RCCC" { module.name.to_string() } else { format!("{}:{actions}", module.name) }
}

fn complaints(text: &str) -> Vec<(usize, Cause, String)> {
    let complaint = |d: Diagnostic| (d.line(), d.cause(), d.word().unwrap_or_default().to_owned());
    parse(text.as_bytes()).diagnostics.into_iter().map(complaint).collect()
}

#[test]
fn os30_blanks_colons_and_other_lines() {
    for (text, expected) in [
        ("hosts: files dns\n", "files dns"),
        ("hosts:files dns\n", "files dns"),
        ("hosts files dns\n", "files dns"),
        ("hosts : : files dns\n", "files dns"),
        ("  \thosts:\tfiles \t dns\t\n", "files dns"),
        ("hosts: files dns\r\n", "files dns"),
        ("hosts:\x0bfiles\x0cdns\n", "files dns"),
        ("passwd: files\nhosts: files dns\nnetworks: files\n", "files dns"),
        ("HOSTS: files\n", "missing"),
        ("Hosts: files\nhosts: dns\n", "dns"),
        ("hostsfiles: x\n", "missing"),
        ("", "missing"),
        ("\n\n", "missing"),
    ] {
        assert_eq!(hosts(text), expected, "{text:?}");
        assert_eq!(complaints(text), [], "{text:?}");
    }
}

#[test]
fn os30_a_later_line_holds() {
    assert_eq!(hosts("hosts: files dns\nhosts: dns files\n"), "dns files");
    let Nsswitch { hosts: HostsLine::Modules { number, .. }, .. } =
        parse(b"# comment\nhosts: dns\n\nhosts: files\n")
    else {
        panic!("there are modules")
    };
    assert_eq!(number, 4);
}

#[test]
fn os30_a_number_sign_is_a_comment_at_the_start_of_a_line_alone() {
    assert_eq!(hosts("#hosts: files\n"), "missing");
    assert_eq!(hosts("  # hosts: files\n"), "missing");
    let text = "hosts: files # probe\n";
    assert_eq!(hosts(text), "files # probe");
    assert_eq!(complaints(text), [(1, Cause::NoComment, "#".to_owned())]);
    assert_eq!(hosts("hosts: files #probe\n"), "files #probe");
}

#[test]
fn os30_criteria_set_what_is_done_on_each_status() {
    for (line, expected) in [
        ("mdns4_minimal [NOTFOUND=return] dns", "mdns4_minimal:RRCC dns"),
        ("resolve[!UNAVAIL=return]dns", "resolve:RRCR dns"),
        ("dns [ NotFound = Return  tryagain=RETURN ]", "dns:RRCR"),
        ("dns [SUCCESS=merge]", "dns:MCCC"),
        ("dns [success=continue]", "dns:CCCC"),
        ("dns [!success=return unavail=continue]", "dns:RRCR"),
        ("dns [unavail=continue !success=return]", "dns:RRRR"),
        ("dns [!notfound=continue]", "dns:CCCC"),
        ("dns [notfound=return !notfound=continue]", "dns:CRCC"),
        ("dns [success=return notfound=continue] files [notfound=return]", "dns files:RRCC"),
    ] {
        assert_eq!(hosts(format!("hosts: {line}\n")), expected, "{line}");
    }
}

#[test]
fn os30_criteria_that_cannot_be_read_break_the_line() {
    for (line, word) in [
        ("files [BOGUS=return] dns", "BOGUS=return"),
        ("files [notfound=stop] dns", "notfound=stop"),
        ("files [notfound] dns", "notfound"),
        ("files [notfound=return dns", "dns"),
        ("files [notfound=return", ""),
        ("files [", ""),
        ("files []", ""),
        ("files [! notfound=return]", "! notfound"),
        ("files [notfound==return]", "notfound="),
        ("files [notfound=return,unavail=return]", "notfound=return,unavail"),
    ] {
        let text = format!("hosts: {line}\n");
        assert_eq!(hosts(&text), "broken", "{line}");
        assert_eq!(complaints(&text), [(1, Cause::Criteria, word.to_owned())], "{line}");
    }
    assert_eq!(hosts("hosts: files [x]\nhosts: files dns\n"), "broken", "glibc fails on the first");
    assert_eq!(hosts("passwd: files [x]\nhosts: files dns\n"), "files dns");
}

#[test]
fn os30_brackets_without_a_module_end_the_line() {
    for (line, expected, word) in [
        ("files [notfound=return] [x dns", "files:RRCC", "[x dns"),
        ("files [notfound=return][x] dns", "files:RRCC", "[x] dns"),
        ("files ] dns", "files ] dns", ""),
        ("files [notfound=return]] dns", "files:RRCC ] dns", ""),
    ] {
        let text = format!("hosts: {line}\n");
        assert_eq!(hosts(&text), expected, "{line}");
        let words: Vec<_> = complaints(&text).into_iter().map(|(.., word)| word).collect();
        assert_eq!(words.join(","), word, "{line}");
    }
}

#[test]
fn os30_a_line_may_have_no_module() {
    for text in ["hosts:\n", "hosts: \t\n", "hosts\n", "hosts: [notfound=return] files\n"] {
        assert_eq!(hosts(text), "empty", "{text:?}");
        let expected = [(1, Cause::MissingValue, "hosts".to_owned())];
        assert_eq!(complaints(text), expected, "{text:?}");
    }
    assert_eq!(hosts("hosts: dns\nhosts:\n"), "empty");
    assert_eq!(hosts("hosts:\nhosts: dns\n"), "dns");
    assert_eq!(hosts("hosts: dns [x]\nhosts:\n"), "broken");
}

#[test]
fn os30_a_line_without_a_line_feed_is_not_read() {
    assert_eq!(hosts("hosts: sss\nhosts: files dns"), "sss");
    assert_eq!(complaints("hosts: dns"), [(1, Cause::NoLineFeed, "hosts".to_owned())]);
    assert_eq!(complaints("hosts: dns\npasswd: files"), []);
}

#[test]
fn os30_a_line_ends_at_a_nul() {
    assert_eq!(hosts("hosts: files\0 dns\n"), "files");
    assert_eq!(hosts("hosts\0: files\n"), "missing");
    assert_eq!(hosts("\0hosts: files\n"), "missing");
    assert_eq!(hosts("hosts: files [notfound\0=return]\n"), "broken");
}

#[test]
fn os30_a_long_line_and_words_that_are_no_text_are_read_as_any_other() {
    let long = format!("hosts: {} dns\n", "x".repeat(1 << 20));
    assert_eq!(hosts(long).len(), (1 << 20) + " dns".len());
    let many = format!("hosts: {}\n", "a [notfound=return] ".repeat(50_000));
    assert_eq!(hosts(many).len(), 50_000 * "a:RRCC ".len() - 1);
    assert_eq!(hosts(b"hosts: \xff\xfe dns\n"), "\u{fffd}\u{fffd} dns");
}

#[test]
fn criteria_are_the_default_if_they_change_nothing() {
    for (line, is_default, is_default_as_the_last) in [
        ("dns", true, true),
        ("dns [success=return notfound=continue unavail=continue tryagain=continue]", true, true),
        ("dns [notfound=return]", false, true),
        ("dns [!unavail=return]", false, false),
        ("dns [!success=continue]", false, false),
        ("dns [success=continue]", false, false),
        ("dns [success=merge]", false, false),
        ("dns [notfound=return success=continue]", false, false),
    ] {
        let HostsLine::Modules { modules, .. } = parse(format!("hosts: {line}\n").as_bytes()).hosts
        else {
            panic!("{line}")
        };
        let found = (modules[0].is_default(false), modules[0].is_default(true));
        assert_eq!(found, (is_default, is_default_as_the_last), "{line}");
    }
}

proptest! {
    /// Whatever the text, what is read of it are words of it.
    #[test]
    fn os30_any_text_is_read(
        text in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            r"(hosts|passwd|#|)[: ]{0,2}((files|dns|x|#)|[\[\]!= \n]|notfound|return){0,12}\n?"
                .prop_map(String::into_bytes),
        ],
    ) {
        let read = parse(&text);
        for diagnostic in &read.diagnostics {
            prop_assert!(!diagnostic.to_string().contains(char::is_control));
        }
        if let HostsLine::Modules { number, modules } = read.hosts {
            prop_assert!(number >= 1 && !modules.is_empty());
            let text = String::from_utf8_lossy(&text);
            for module in modules {
                prop_assert!(!module.name.is_empty() && text.contains(&*module.name));
            }
        }
    }
}
