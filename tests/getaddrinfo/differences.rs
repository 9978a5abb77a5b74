//! Where the two differ, and why.

use crate::{End, Row};

/// One reason.
pub(crate) struct Difference {
    /// Where it shows, in the words of `.ci/getaddrinfo` and `.ci/nss`.
    settings: &'static [&'static str],
    ours: End,
    theirs: End,
    /// The names, in small letters, where a `*` stands for anything. Each of them has to differ; of
    /// what has a `*`, one at least.
    names: &'static str,
    pub(crate) why: &'static str,
}

impl Difference {
    pub(crate) fn names(&self, setting: &str) -> impl Iterator<Item = &'static str> {
        let shows = self.settings.contains(&setting);
        self.names.split_whitespace().filter(move |_| shows)
    }

    /// Whether this is why `row`, of one of the `names`, differs.
    pub(crate) fn explains(&self, name: &str, row: &Row) -> bool {
        (self.ours, self.theirs) == (row.ours.end, row.theirs.end) && stands_for(name, &row.name)
    }
}

fn stands_for(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

use End::{Addresses, NoAddress, NoName, Temporary};

/// Under any nsswitch.conf.
const EVERYWHERE: &[&str] =
    &["recursive", "authoritative", "kubernetes", "troubled", "options", "libc", "stub", "system"];
/// With `files dns`, or modules that pass: in `libc`, the C library asks for each family by itself.
const FILES_DNS: &[&str] =
    &["recursive", "authoritative", "kubernetes", "troubled", "options", "libc"];
/// With systemd-resolved: over DNS, or by its module.
const RESOLVED: &[&str] = &["stub", "system"];
/// All but the one that asks an authoritative nameserver.
const RECURSIVE: &[&str] = &["recursive", "kubernetes", "troubled", "options", "libc"];

pub(crate) const DIFFERENCES: &[Difference] = &[
    // What a name is.
    Difference {
        settings: EVERYWHERE,
        ours: NoName,
        theirs: Addresses,
        names: "0177.0.0.1 127.1 127.0.1 1.2.3 192.0.2.01 0x7f.1 2130706433 0x7f000001 017700000001
            0 00 123 0x1f 4294967295",
        why: "programs disagree on which address this is, so it is none and no name either",
    },
    Difference {
        settings: &["troubled"],
        ours: NoName,
        theirs: Temporary,
        names: "08 0x 4294967296",
        why: "the same, where getaddrinfo asks nameservers that fail",
    },
    Difference {
        settings: FILES_DNS,
        ours: NoName,
        theirs: NoAddress,
        names: ".",
        why: "the root is no host",
    },
    Difference {
        settings: EVERYWHERE,
        ours: NoName,
        theirs: Addresses,
        names: "bad*name.hosts",
        why: "no host name, be it in the hosts file or not",
    },
    Difference {
        settings: EVERYWHERE,
        ours: NoName,
        theirs: Addresses,
        names: "-dash.hosts",
        why: "a name that starts with a hyphen is refused; getaddrinfo refuses it in responses alone",
    },
    Difference {
        settings: EVERYWHERE,
        ours: Addresses,
        theirs: NoName,
        names: "[::1]",
        why: "brackets as in a URI are taken off",
    },
    Difference {
        settings: EVERYWHERE,
        ours: Addresses,
        theirs: NoName,
        names: "2001:db8::1%lo zone.hosts zone-number.hosts",
        why: "any IPv6 address may have a zone, also in the hosts file",
    },
    // The hosts file.
    Difference {
        settings: FILES_DNS,
        ours: Addresses,
        theirs: NoName,
        names: "*.hosts. dotted.hosts four. six. first-alias. second-alias. ip6-localhost. second.
            number.1. hosted.onion. hosted.invalid.",
        why: "a final dot does not count in the hosts file; getaddrinfo finds no name with one",
    },
    Difference {
        settings: FILES_DNS,
        ours: Addresses,
        theirs: Addresses,
        names: "www.names.test. v4.names.test.",
        why: "the same, and the nameservers know another address",
    },
    Difference {
        settings: &["recursive", "authoritative", "kubernetes", "troubled", "libc"],
        ours: Addresses,
        theirs: Addresses,
        names: "v6.names.test.",
        why: "the same",
    },
    Difference {
        settings: &["options"],
        ours: Addresses,
        theirs: NoAddress,
        names: "v6.names.test.",
        why: "the same, and the nameservers are not asked for IPv6",
    },
    // Special names. Unbound knows them too.
    Difference {
        settings: &["authoritative"],
        ours: NoName,
        theirs: Addresses,
        names: "x.onion x.onion. x.invalid x.invalid.",
        why: "never sent to a nameserver (RFC 6761 section 6.4, RFC 7686 section 2)",
    },
    Difference {
        settings: &["recursive", "authoritative", "kubernetes", "options"],
        ours: NoName,
        theirs: NoAddress,
        names: "invalid",
        why: "the same; here the nameserver has a name below it",
    },
    Difference {
        settings: &["authoritative"],
        ours: Addresses,
        theirs: Addresses,
        names: "x.localhost x.localhost.",
        why: "loopback, whatever a nameserver says (RFC 6761 section 6.3)",
    },
    Difference {
        settings: &["authoritative"],
        ours: Addresses,
        theirs: NoName,
        names: "a.b.localhost hosted.localhost.",
        why: "loopback or what the hosts file says, with a final dot too",
    },
    Difference {
        settings: &["authoritative"],
        ours: Addresses,
        theirs: NoAddress,
        names: "localhost.",
        why: "the same, and the nameserver has names below it",
    },
    Difference {
        settings: &["options"],
        ours: Addresses,
        theirs: Addresses,
        names: "localhost. x.localhost x.localhost. a.b.localhost",
        why: "loopback of both families; `no-aaaa` is about what is asked of nameservers",
    },
    Difference {
        settings: RECURSIVE,
        ours: Addresses,
        theirs: Addresses,
        names: "hosted.localhost.",
        why: "what the hosts file says, with a final dot too, where Unbound says loopback",
    },
    Difference {
        settings: &["recursive", "authoritative", "kubernetes", "troubled", "libc"],
        ours: NoAddress,
        theirs: Addresses,
        names: "link-local.names.test*",
        why: "a link-local address without a zone is none that a connection can be made to",
    },
    Difference {
        settings: &["recursive", "authoritative", "libc"],
        ours: NoAddress,
        theirs: Addresses,
        names: "link-local",
        why: "the same, below the search list",
    },
    Difference {
        settings: &["troubled"],
        ours: Temporary,
        theirs: Addresses,
        names: "link-local link-local.names.test",
        why: "the same, and below a suffix that failed it may have one",
    },
    // Aliases.
    Difference {
        settings: &["authoritative"],
        ours: Addresses,
        theirs: NoName,
        names: "chain6* chain7* chain8* chain9* chain10* chain11* chain12*",
        why: "Knot ends its answer after five aliases; the last target is asked for",
    },
    Difference {
        settings: &["authoritative"],
        ours: Temporary,
        theirs: NoName,
        names: "to-broken* to-notauth*",
        why: "the target of the alias is asked for, and fails",
    },
    Difference {
        settings: FILES_DNS,
        ours: NoAddress,
        theirs: NoName,
        names: "to-text.names.test.",
        why: "an alias of a name without an address is a name without an address",
    },
    Difference {
        settings: &["recursive", "authoritative", "kubernetes", "options"],
        ours: NoAddress,
        theirs: NoName,
        names: "to-text.names.test",
        why: "the same",
    },
    Difference {
        settings: &["recursive", "authoritative"],
        ours: NoAddress,
        theirs: NoName,
        names: "to-text",
        why: "the same, by way of the search list",
    },
    // Nameservers that fail.
    Difference {
        settings: &["authoritative"],
        ours: Temporary,
        theirs: NoAddress,
        names: "child* ns.child.* www.child.*",
        why: "a referral answers nothing: this nameserver is of no use for the name",
    },
    Difference {
        settings: &["authoritative"],
        ours: Temporary,
        theirs: NoName,
        names: "ns.child www.child",
        why: "the same, by way of the search list",
    },
    Difference {
        settings: &["authoritative"],
        ours: Temporary,
        theirs: NoName,
        names: "www.notauth.test www.notauth.test.",
        why: "NOTAUTH says nothing about the name; getaddrinfo takes it for the end",
    },
    Difference {
        settings: &["options"],
        ours: Temporary,
        theirs: NoName,
        names: "refused.test www.refused.test www.refused.test.",
        why: "neither does REFUSED; over TCP getaddrinfo takes it for the end",
    },
    // The search list.
    Difference {
        settings: &["recursive"],
        ours: NoAddress,
        theirs: NoName,
        names: "not.star ns.child www.child",
        why: "it exists below a suffix; getaddrinfo tells what it heard of the name as it is",
    },
    Difference {
        settings: &["authoritative"],
        ours: NoAddress,
        theirs: NoName,
        names: "not.star",
        why: "the same",
    },
    Difference {
        settings: &["options"],
        ours: NoAddress,
        theirs: NoName,
        names: "v6 mapped link-local many6 text to-text mail not.star away child ns.child www.child
            sub wild star down",
        why: "the same, for more names: with `ndots:0` each is tried as it is",
    },
    Difference {
        settings: &["options"],
        ours: Temporary,
        theirs: NoName,
        names: "circle around self chain12 to-broken to-notauth",
        why: "below a suffix it fails; getaddrinfo tells what it heard of the name as it is",
    },
    Difference {
        settings: &["troubled"],
        ours: Temporary,
        theirs: NoAddress,
        names: "text text.names.test mail mail.names.test text-first.names.test not.star.names.test
            away away.names.test child child.names.test ns.child.names.test wild star down",
        why: "below a suffix that failed it may have one; getaddrinfo has heard NODATA elsewhere",
    },
    Difference {
        settings: &["troubled"],
        ours: Temporary,
        theirs: NoName,
        names: "*",
        why: "below a suffix that failed it may exist; getaddrinfo has heard NXDOMAIN of the name as \
              it is",
    },
    Difference {
        settings: &["troubled"],
        ours: Addresses,
        theirs: NoAddress,
        names: "text-first",
        why: "the search goes on after REFUSED below a suffix; getaddrinfo stops",
    },
    Difference {
        settings: &["troubled"],
        ours: Addresses,
        theirs: NoName,
        names: "www.sub",
        why: "the same, and getaddrinfo has heard NXDOMAIN of the name as it is",
    },
    Difference {
        settings: &["troubled"],
        ours: Addresses,
        theirs: Temporary,
        names: "third",
        why: "the same, and getaddrinfo has heard nothing but failures",
    },
    Difference {
        settings: &["troubled"],
        ours: Addresses,
        theirs: NoName,
        names: "xxx*",
        why: "a suffix that makes the name too long is left out; getaddrinfo stops there",
    },
    // What systemd-resolved makes of names.
    Difference {
        settings: RESOLVED,
        ours: NoName,
        theirs: Addresses,
        names: "192.0.2.1%lo bücher.names.test *.star.names.test a*blank.names.test",
        why: "no address, or no host name; it takes them for one",
    },
    Difference {
        settings: RESOLVED,
        ours: NoName,
        theirs: Temporary,
        names: "#.",
        why: "no host name, which it fails on",
    },
    Difference {
        settings: RESOLVED,
        ours: Addresses,
        theirs: NoName,
        names: "under_score.hosts. blocked.hosts. zone.hosts. zone-number.hosts.",
        why: "a final dot does not count in the hosts file; it has no entry for such lines",
    },
    Difference {
        settings: RESOLVED,
        ours: NoAddress,
        theirs: Addresses,
        names: "link-local*",
        why: "a link-local address without a zone is none that a connection can be made to",
    },
    Difference {
        settings: RESOLVED,
        ours: Addresses,
        theirs: NoName,
        names: "to-onion* to-invalid*",
        why: "where one family has no address it asks for the target of an alias in both, and gets \
              none of such a name; here each family is asked for by itself",
    },
    Difference {
        settings: RESOLVED,
        ours: Addresses,
        theirs: Addresses,
        names: "to-localhost*",
        why: "the same, and what it says of that target is loopback",
    },
    // Over DNS it says more than its module does.
    Difference {
        settings: &["stub"],
        ours: NoAddress,
        theirs: NoName,
        names: "text* mail* to-text.* not.star* away.names.test* child.*
            wild.names.test. star.names.test. www.child*",
        why: "its module says that there is no such name if there is no address",
    },
    Difference {
        settings: &["stub"],
        ours: Temporary,
        theirs: NoName,
        names: "circle.* around.* self.* chain12.* to-notauth.* to-broken.* refused.test
            www.refused.test* broken.test www.broken.test* www.notauth.test*",
        why: "its module says so too if nameservers fail",
    },
    Difference {
        settings: &["stub"],
        ours: Addresses,
        theirs: NoName,
        names:
            "any.thing.wild any.thing.star deep.down ns.child _http._tcp www.sub x.wild x.y.z.star
            www.away xxx*",
        why: "its module searches for names without a dot alone; `ndots` says after which the others",
    },
    Difference {
        settings: &["stub"],
        ours: Addresses,
        theirs: NoName,
        names: "dash-.*",
        why: "its module refuses a name that ends with a hyphen",
    },
];
