//! Which names are asked of the operating system, as nsswitch.conf has it, and that the C library
//! says the same of each.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use outrace::resolve::{DiagnosticCause, Source};
use outrace::{LookupErrorKind, LookupResult, Resolver};
use outrace_nss::{End, Outcome, PORT, World, ours, theirs};

use super::support::copy_of_this_process;
use super::{NAMESERVER, nameserver};

const PLAIN: &[&str] = &["192.0.2.1", "2001:db8::1"];
const WWW: &[&str] = &["198.51.100.1", "2001:db8:51::1"];
/// A hosts file with a name of the nameserver.
const HOSTS: &str = "192.0.2.99 www.example.test host.test\n";
const IN_HOSTS: &[&str] = &["192.0.2.99"];

/// By default, the C library and this crate agree.
fn auto() -> Resolver {
    Resolver::builder().build()
}

async fn end_of(resolver: &Resolver, name: &str) -> Result<(), LookupErrorKind> {
    let results: Vec<_> = resolver.lookup((name, PORT)).collect().await;
    match results.last() {
        Some(LookupResult::End(outcome)) => outcome.clone().map_err(|error| error.kind()),
        last => panic!("no end: {last:?}"),
    }
}

#[tokio::test]
async fn os24_a_module_in_front_of_dns_is_asked_by_auto_and_not_by_own() {
    let Some(world) = World::with("files probe dns", NAMESERVER, HOSTS) else { return };
    let own = Resolver::builder().source(Source::Own).build();
    assert_eq!(end_of(&own, "plain.probe").await, Err(LookupErrorKind::Unreachable));
    let nameserver = nameserver();
    let own = Resolver::builder().source(Source::Own).build();
    assert_eq!(end_of(&own, "plain.probe").await, Err(LookupErrorKind::NotFound));
    world.forget_module_calls();
    nameserver.barrier();
    let asked = nameserver.journal().queries().len();

    let auto = auto();
    assert_eq!(ours(&auto, "plain.probe").await, Outcome::of(PLAIN));
    assert_eq!(world.module_calls(), ["plain.probe v4", "plain.probe v6"]);
    nameserver.barrier();
    assert_eq!(nameserver.journal().queries().len(), asked, "the module has the name");
    for name in ["plain.probe", "www.example.test", "host.test", "gone.probe", "gone.test"] {
        assert_eq!(ours(&auto, name).await, theirs(name), "{name}");
    }
}

#[tokio::test]
async fn os25_a_module_behind_dns_is_asked_for_what_the_nameservers_have_not() {
    let Some(world) = World::with("files dns probe", NAMESERVER, "") else { return };
    let nameserver = nameserver();
    let auto = auto();
    world.forget_module_calls();
    assert_eq!(ours(&auto, "www.example.test").await, Outcome::of(WWW));
    assert_eq!(ours(&auto, "www.nodata.test").await.end, End::NoAddress);
    assert_eq!(
        world.module_calls(),
        ["www.nodata.test v4", "www.nodata.test v6"],
        "and none for the other name"
    );
    assert_eq!(auto.stats().system_calls, 2);

    world.forget_module_calls();
    // `ours` asserts that there is one end.
    assert_eq!(ours(&auto, "plain.probe").await, Outcome::of(PLAIN));
    let journal = nameserver.journal();
    let of = |record_type| journal.queries_for("plain.probe", record_type).len();
    assert_eq!((of("A"), of("AAAA")), (2, 2), "here, and by the C library before its module");
    assert_eq!(world.module_calls(), ["plain.probe v4", "plain.probe v6"]);
    for name in ["plain.probe", "v4only.probe", "www.example.test", "gone.probe", "gone.test"] {
        assert_eq!(ours(&auto, name).await, theirs(name), "{name}");
    }
}

#[tokio::test]
async fn os26_files_and_dns_are_asked_in_their_order_and_no_other() {
    if World::here().is_none() {
        return;
    }
    let nameserver = nameserver();
    for (line, name, addrs, is_sent) in [
        ("files dns", "www.example.test", IN_HOSTS, false),
        ("dns files", "www.example.test", WWW, true),
        ("dns files", "host.test", IN_HOSTS, true),
        ("files", "www.example.test", IN_HOSTS, false),
        ("files", "other.example.test", &[], false),
        ("dns", "www.example.test", WWW, true),
        ("dns", "host.test", &[], true),
    ] {
        World::with(line, NAMESERVER, HOSTS).expect("as above");
        nameserver.barrier();
        let asked = nameserver.journal().queries().len();
        let auto = auto();
        assert_eq!(ours(&auto, name).await, Outcome::of(addrs), "{name} by {line:?}");
        nameserver.barrier();
        let is_asked = nameserver.journal().queries().len() > asked;
        assert_eq!(is_asked, is_sent, "{name} by {line:?}");
        assert_eq!(auto.source_for(&name.parse().unwrap()), Source::Own);
        assert_eq!(theirs(name), Outcome::of(addrs), "{name} by {line:?}");
    }
}

#[tokio::test]
async fn os27_a_rewritten_nsswitch_conf_is_followed_while_the_program_runs() {
    let Some(world) = World::with("files dns", NAMESERVER, "") else { return };
    let _nameserver = nameserver();
    let auto = auto();
    assert_eq!(ours(&auto, "plain.probe").await, Outcome::of(&[]));
    world.write("nsswitch.conf", "hosts: files probe\n");
    let began = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    while ours(&auto, "plain.probe").await != Outcome::of(PLAIN) {
        // Looked at every five seconds; the rest is for a busy machine.
        assert!(began.elapsed() < Duration::from_secs(7), "it is not followed");
        pause.tick().await;
    }
    println!("seen after {:?}", began.elapsed());
    assert_eq!(theirs("plain.probe"), Outcome::of(PLAIN), "the C library sees it at once");
}

/// Each as the whole of nsswitch.conf. None is without a module behind `hosts`: with such a line
/// each call of glibc 2.36 fails, or is at fault (SIGSEGV).
const LINES: &[&str] = &[
    "",
    "\n",
    "passwd: files\n",
    "hosts: files\n",
    "hosts: dns\n",
    "hosts: probe\n",
    "hosts: probe",
    "hosts: files probe\n",
    "hosts:files probe\n",
    "hosts files probe\n",
    "hosts\tfiles\tprobe\t\n",
    "  \thosts: files probe\n",
    "hosts :files probe\n",
    "Hosts: files probe\n",
    "hosts: Files Probe\n",
    "hosts: files probe\r\n",
    "hosts: files probe\x0b\n",
    "hosts:\x0cfiles probe\n",
    "hosts: files, probe\n",
    "# hosts: files probe\n",
    " # hosts: files probe\n",
    "hosts: files # probe\n",
    "hosts: files #probe\n",
    "hosts: files\nhosts: probe\n",
    "hosts: probe\nhosts: files\n",
    "hosts: [\nhosts: probe\n",
    "hosts: files none probe\n",
    "hosts: none\n",
    "hosts: none probe\n",
    "hosts: probe dns\n",
    "hosts: dns probe\n",
    "hosts: dns files\n",
    "hosts: probe files\n",
    "hosts: files\0probe\n",
    "hosts: files \0 probe\n",
    "hosts: files\0\nhosts: probe\n",
    "\0hosts: probe\n",
    "hosts: probe [NOTFOUND=return] dns\n",
    "hosts: probe[NOTFOUND=return] dns\n",
    "hosts: probe [NotFound=Return] dns\n",
    "hosts: probe [ NOTFOUND = return ] dns\n",
    "hosts: probe [NOTFOUND =return] dns\n",
    "hosts: probe [!NOTFOUND=return] dns\n",
    "hosts: probe [! NOTFOUND=return] dns\n",
    "hosts: probe [!UNAVAIL=return] dns\n",
    "hosts: none [!UNAVAIL=return] dns\n",
    "hosts: none [UNAVAIL=return] dns\n",
    "hosts: probe [SUCCESS=continue] dns\n",
    "hosts: probe [SUCCESS=merge] dns\n",
    "hosts: files [SUCCESS=merge] probe dns\n",
    "hosts: probe [TRYAGAIN=continue] dns\n",
    "hosts: probe [UNAVAIL=return] dns\n",
    "hosts: probe [NOTFOUND=continue NOTFOUND=return] dns\n",
    "hosts: probe [NOTFOUND=return UNAVAIL=return] dns\n",
    "hosts: probe [NOTFOUND=return] [NOTFOUND=continue] dns\n",
    "hosts: files [NOTFOUND=return] dns\n",
    "hosts: dns [NOTFOUND=return] files\n",
    "hosts: dns [!UNAVAIL=return] files\n",
    "hosts: dns [NOTFOUND=return] probe\n",
    "hosts: files dns [NOTFOUND=return]\n",
    "hosts: probe [NOTFOUND=return\n",
    "hosts: probe [NOTFOUND=return dns\n",
    "hosts: probe [NOTFOUND] dns\n",
    "hosts: probe [NOTFOUND=] dns\n",
    "hosts: probe [=return] dns\n",
    "hosts: probe [] dns\n",
    "hosts: probe [ ] dns\n",
    "hosts: probe [BOGUS=return] dns\n",
    "hosts: probe [NOTFOUND=bogus] dns\n",
    "hosts: probe [NOTFOUND=return]] dns\n",
    "hosts: probe ] dns\n",
    "hosts: files [NOTFOUND=return\nhosts: probe\n",
    "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
    "hosts: files resolve [!UNAVAIL=return] dns\n",
    "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns\n",
];

const NAMES: &[&str] = &[
    "host.test",
    "www.example.test",
    "plain.probe",
    "v4only.probe",
    "again.probe",
    "fail.probe",
    "gone.probe",
    "gone.local",
    "gone.test",
    "x.nodata.test",
];

/// Set in the child of the next test.
const CHILD: &str = "OUTRACE_NSS_CHILD";

/// Each in a process of its own: a glibc that has read a `hosts` line is at fault (SIGSEGV in 2.36)
/// when it finds none in the file later.
#[tokio::test]
async fn os30_each_line_of_nsswitch_conf_is_read_as_the_c_library_reads_it() {
    if std::env::var_os(CHILD).is_some() {
        return compare_all().await;
    }
    let Some(world) = World::with("files", NAMESERVER, HOSTS) else { return };
    let _nameserver = nameserver();
    let long = [
        format!("hosts: files {}probe\n", " ".repeat(1 << 20)),
        format!("hosts: files {}\n", "probe ".repeat(1 << 10)),
        format!("{}\nhosts: files probe\n", "x".repeat(1 << 20)),
    ];
    let test = "choice::os30_each_line_of_nsswitch_conf_is_read_as_the_c_library_reads_it";
    let (mut broken, mut wrong) = (0, Vec::new());
    let lines = || LINES.iter().copied().chain(long.iter().map(String::as_str));
    for line in lines() {
        world.write("nsswitch.conf", line);
        let mut child = copy_of_this_process(test).expect("a copy");
        let output = child.env(CHILD, "").output().expect("a child");
        broken += usize::from(String::from_utf8_lossy(&output.stdout).contains("\nbroken\n"));
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{:?}: {}\n{text}", &line[..line.len().min(60)], output.status));
        }
    }
    println!("{} files, of which {broken} fail every call of the C library", lines().count());
    assert!(wrong.is_empty(), "{}\n{} differ", wrong.join("\n"), wrong.len());
    assert!(broken > 5, "{broken}");
}

/// In one process, on one nsswitch.conf.
async fn compare_all() {
    let line = std::fs::read_to_string("/etc/nsswitch.conf").expect("the file");
    let auto = auto();
    let mut wrong = Vec::new();
    let diagnostics = auto.diagnostics();
    let is_broken = diagnostics.iter().any(|d| d.cause() == DiagnosticCause::Criteria);
    for name in NAMES {
        let (ours, theirs) = (ours(&auto, name).await, theirs(name));
        // Where the C library fails every lookup, the defaults hold.
        let is_right = if is_broken {
            theirs.end != End::Addresses
        } else {
            ours == theirs || why(&line, name, &ours, &theirs).is_some()
        };
        if !is_right {
            wrong.push(format!("{name}: {ours:?}, by getaddrinfo {theirs:?}"));
        }
    }
    if is_broken {
        assert_eq!(ours(&auto, "host.test").await, Outcome::of(IN_HOSTS));
        println!("broken");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where the two differ, and why.
fn why(line: &str, name: &str, ours: &Outcome, theirs: &Outcome) -> Option<&'static str> {
    match (name, ours.end, theirs.end) {
        ("fail.probe", End::NoAddress, End::NoName) => {
            Some("of IPv4 alone, glibc says EAI_NODATA when a module has failed")
        }
        ("x.nodata.test", End::NoAddress, End::NoName) if line.contains("dns ") => {
            Some("the nameserver knows the name; glibc tells what the last module says")
        }
        (_, End::Addresses, End::NoName) if line.contains("merge") => {
            Some("glibc merges addresses of one family, and loses those of two")
        }
        _ => None,
    }
}
