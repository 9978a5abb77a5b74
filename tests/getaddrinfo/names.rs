//! Everything that is looked up.

use std::collections::BTreeSet;
use std::fs;

/// The names of `names.test` in the zone file, below the search list, as they are and in other
/// letters; those of the hosts file as they are, in capitals and with a final dot; the names of the
/// file `names`; and what no file can hold.
pub(crate) fn names(zone: &str) -> Vec<String> {
    let zone = fs::read_to_string(zone).expect("the zone file");
    let (_, zone) = zone.split_once("$ORIGIN names.test.\n").expect("the names' own zone");
    let hosts = fs::read_to_string("/etc/hosts").expect("the hosts file");
    let mut names = Vec::new();
    for owner in zone.lines().filter_map(|line| line.split_whitespace().next()) {
        // Of each chain of aliases its beginning. What is escaped is no host name.
        if !(owner.starts_with("chain") && owner.contains('-') || owner.contains('\\')) {
            let owner = owner.replace('*', "any.thing");
            names.push(format!("{owner}.names.test"));
            names.push(format!("{}.Names.Test.", owner.to_uppercase()));
            names.push(owner);
        }
    }
    for name in hosts.lines().flat_map(|line| line.split_whitespace().skip(1)) {
        names.extend([name.to_string(), name.to_uppercase(), format!("{name}.")]);
    }
    let lines = include_str!("names").lines().filter(|line| !line.starts_with('#'));
    names.extend(lines.flat_map(str::split_whitespace).map(String::from));
    let with_blanks =
        ["", "192.0.2.1 ", " 192.0.2.1", "www names.test", "www.names.test ", " www.names.test"];
    names.extend(with_blanks.map(String::from));
    names.extend(["www\t", "a blank.names.test", "\u{200b}www.names.test"].map(String::from));
    let label = "y".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", &label[..61]);
    names.extend([
        format!("{label}.names.test"),
        format!("y{label}.names.test"),
        format!("{longest}."),
        format!("y{longest}"),
        format!("{longest}y"),
        longest,
        "a.".repeat(126) + "a",
        "a.".repeat(127) + "a",
    ]);
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
