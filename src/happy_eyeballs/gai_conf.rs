//! gai.conf(5): the policy table that this machine's administrator has given glibc.

use std::fs;
use std::io;
use std::net::Ipv6Addr;

use super::PolicyTable;
use crate::process::FirstUse;
use crate::resolve::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};
use crate::trace;

/// Where glibc has it; no other system has such a file.
const PATH: &str = "/etc/gai.conf";

/// The largest file that is read: far more than tables have lines.
const MAX_LEN: u64 = 1 << 20;

/// A prefix, its length in bits, and its label or precedence.
type Row = (Ipv6Addr, u8, u32);

impl PolicyTable {
    /// The table of this machine: what `/etc/gai.conf` says on Linux, and where it says nothing that
    /// of RFC 6724. Lines that cannot be used are events of the feature `tracing`.
    ///
    /// # Blocking
    ///
    /// The first call reads the file, and no other does.
    pub fn system() -> Self {
        static SYSTEM: FirstUse<PolicyTable> = FirstUse::new();
        SYSTEM.get_or_make(read).clone()
    }

    /// Reads the text of a gai.conf(5), with a diagnostic for each line that cannot be used.
    ///
    /// As glibc does: any `precedence` line replaces the default precedences, and any `label` line the
    /// default labels; an address that no line covers has precedence 40 and label 1. The defaults are
    /// those of RFC 6724, and not of RFC 3484 as glibc's are. `scopev4` is not supported, and a change
    /// of the file counts when a program starts, whatever `reload` says.
    pub fn from_gai_conf(text: &[u8]) -> (Self, Vec<Diagnostic>) {
        let (mut precedences, mut labels) = (Vec::new(), Vec::new());
        let mut diagnostics = Diagnostics::new(ConfigSource::GaiConf);
        for (number, line) in (1..).zip(text.split(|&octet| octet == b'\n')) {
            let line = line.split(|&octet| octet == b'#').next().unwrap_or_default();
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            let table = match keyword {
                b"precedence" => &mut precedences,
                b"label" => &mut labels,
                b"reload" => continue,
                b"scopev4" => {
                    diagnostics.note(number, DiagnosticCause::UnsupportedKeyword, keyword);
                    continue;
                }
                _ => {
                    diagnostics.note(number, DiagnosticCause::UnknownKeyword, keyword);
                    continue;
                }
            };
            match row(words.next(), words.next()) {
                Ok(row) => table.push(row),
                Err((cause, word)) => diagnostics.note(number, cause, word),
            }
        }
        (Self::of_tables(&precedences, &labels), diagnostics.into_vec())
    }
}

fn read() -> PolicyTable {
    if cfg!(not(target_os = "linux")) {
        return PolicyTable::rfc6724();
    }
    let text = match fs::metadata(PATH) {
        Ok(metadata) if metadata.len() <= MAX_LEN => fs::read(PATH),
        _ => return PolicyTable::rfc6724(),
    };
    let (table, diagnostics) = match text {
        Ok(text) => PolicyTable::from_gai_conf(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return PolicyTable::rfc6724(),
        Err(error) => {
            (PolicyTable::rfc6724(), vec![Diagnostic::unreadable(ConfigSource::GaiConf, &error)])
        }
    };
    trace::configured(&diagnostics);
    table
}

fn row<'a>(
    prefix: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
) -> Result<Row, (DiagnosticCause, &'a [u8])> {
    let (Some(prefix), Some(value)) = (prefix, value) else {
        return Err((DiagnosticCause::MissingValue, prefix.unwrap_or_default()));
    };
    let bad = || (DiagnosticCause::Address, prefix);
    let text = str::from_utf8(prefix).map_err(|_| bad())?;
    let (ip, length) = match text.split_once('/') {
        Some((ip, length)) => (ip, length.parse().ok().filter(|&length| length <= 128)),
        None => (text, Some(128)),
    };
    let ip = ip.parse().map_err(|_| bad())?;
    let number = str::from_utf8(value).ok().and_then(|value| value.parse().ok());
    let number = number.ok_or((DiagnosticCause::OptionValue, value))?;
    Ok((ip, length.ok_or_else(bad)?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> PolicyTable {
        let (table, diagnostics) = PolicyTable::from_gai_conf(text.as_bytes());
        assert_eq!(diagnostics, [], "{text}");
        table
    }

    fn v6(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    #[test]
    fn cr11_what_gai_conf_says_replaces_the_table_that_it_is_about() {
        assert_eq!(table("# nothing\n\n  # precedence ::/0 1\n"), PolicyTable::rfc6724());

        // The line that everybody knows: IPv4 first. All else has the default then.
        let ipv4_first = table("precedence ::ffff:0:0/96  100\n");
        for (addr, precedence, label) in [
            ("192.0.2.1", 100, 4),
            ("2001:db8::1", 40, 1),
            ("::1", 40, 0),
            ("2002::1", 40, 2),
            ("fd00::1", 40, 13),
        ] {
            assert_eq!(ipv4_first.of(addr.parse().unwrap()), (precedence, label), "{addr}");
        }

        // Each of the two tables is matched by itself.
        let both = table(
            "label ::/0 1\nlabel 2001:db8::/32 7 # ours\nlabel 2001:db8:1::/48 300\n\
             precedence 2001:db8::/40 60\nprecedence ::/0 30\nreload yes\n",
        );
        let labels = ["2001:db8:1::1", "2001:db8:ffff::1", "2001:db8::1", "192.0.2.1"]
            .map(|addr| both.of(addr.parse().unwrap()));
        assert_eq!(labels.map(|(precedence, _)| precedence), [60, 30, 60, 30]);
        let [one, two, three, four] = labels.map(|(_, label)| label);
        assert!(one != two && two == three && three != four && one != four, "{labels:?}");
    }

    #[test]
    fn cr11_a_line_that_cannot_be_used_is_reported_and_spoils_no_other() {
        use DiagnosticCause::{
            Address, MissingValue, OptionValue, UnknownKeyword, UnsupportedKeyword,
        };

        let text = b"preference ::/0 1\nprecedence\nprecedence ::/0\nprecedence 10.0.0.0/8 1\n\
                    precedence ::/129 1\nprecedence ::/0 many\nscopev4 ::ffff:169.254.0.0/112 2\n\
                    precedence ::ffff:0:0/96 1000\n\xff\xfe\n";
        let (table, diagnostics) = PolicyTable::from_gai_conf(text);
        let causes: Vec<_> = diagnostics.iter().map(|d| (d.line(), d.cause())).collect();
        assert_eq!(
            causes,
            [
                (1, UnknownKeyword),
                (2, MissingValue),
                (3, MissingValue),
                (4, Address),
                (5, Address),
                (6, OptionValue),
                (7, UnsupportedKeyword),
                (9, UnknownKeyword),
            ]
        );
        assert_eq!(table.of([192, 0, 2, 1].into()).0, 255, "the nearest in range");
        assert_eq!(diagnostics[0].to_string(), "gai.conf line 1: \"preference\": unknown keyword");
        assert_eq!(table.of(v6("::1").into()).0, 40);
    }
}
