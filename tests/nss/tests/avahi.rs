//! OS29, OS16: with avahi and nss-mdns.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use outrace::resolve::Source;
use outrace::{LookupErrorKind, LookupResult, Resolver};
use outrace_nss::{Daemon, End, PORT, World, assert_quick, ours, theirs};
use support::{Journal, Nameserver};

const CONF: &str = "/run/avahi.conf";

/// The daemon publishes `probe.local`, with the addresses of the link.
fn avahi(world: &World) -> Daemon {
    let text = "[server]\nhost-name=probe\nallow-interfaces=v0\nenable-dbus=no\n\
                [publish]\npublish-workstation=no\n";
    fs::write(CONF, text).expect("a file");
    let args = ["--file", CONF, "--no-drop-root", "--no-chroot", "--no-rlimits"];
    world.start("usr/sbin/avahi-daemon", &args, || {
        let probe = theirs("probe.local");
        !probe.v4.is_empty() && !probe.v6.is_empty()
    })
}

fn nameserver() -> Nameserver {
    let script = "www.example.test. A -> answer 198.51.100.1
                  a.b.local.        A -> answer 198.51.100.2
                  *                 * -> nxdomain authority at . soa 30";
    Nameserver::at("127.0.0.1:53".parse().expect("an address"), script, &Journal::new())
}

/// When a lookup that does not succeed ends, and how.
async fn ends_after(timeout: u64, name: &str) -> (Duration, LookupErrorKind) {
    let resolver = Resolver::builder().timeout(Duration::from_secs(timeout)).build();
    let began = Instant::now();
    let results: Vec<_> = resolver.lookup((name, PORT)).collect().await;
    match results.last() {
        Some(LookupResult::End(Err(error))) => (began.elapsed(), error.kind()),
        last => panic!("{name}: {last:?}"),
    }
}

#[tokio::test]
async fn os29_a_local_name_comes_by_multicast_at_once_and_a_missing_one_ends_in_time() {
    let line = "files mdns_minimal [NOTFOUND=return] dns";
    let Some(world) = World::with(line, "nameserver 127.0.0.1\n", "") else { return };
    let nameserver = nameserver();
    let _daemon = avahi(&world);
    // Until then the module passed, and the C library asked the nameserver.
    let asked = || {
        nameserver.barrier();
        nameserver.journal().queries_for("probe.local", "A").len()
    };
    let before = asked();
    for modules in ["mdns_minimal", "mdns4_minimal", "mdns", "mdns4"] {
        world.write("nsswitch.conf", &format!("hosts: files {modules} [NOTFOUND=return] dns\n"));
        let auto = Resolver::builder().build();
        for (name, source) in [
            ("probe.local", Source::System),
            ("PROBE.local.", Source::System),
            ("www.example.test", Source::Own),
        ] {
            assert_eq!(auto.source_for(&name.parse().expect("a name")), source, "{name}");
            assert_eq!(ours(&auto, name).await, theirs(name), "{name} by {modules}");
        }
        // Three labels: the minimal modules pass.
        let is_minimal = modules.ends_with("_minimal");
        let source = if is_minimal { Source::Own } else { Source::System };
        assert_eq!(auto.source_for(&"a.b.local".parse().expect("a name")), source);
        if is_minimal {
            assert_eq!(ours(&auto, "a.b.local").await, theirs("a.b.local"));
        }
    }
    assert_eq!(asked(), before, "a name below `local` is for multicast");

    world.write("nsswitch.conf", "hosts: files mdns_minimal [NOTFOUND=return] dns\n");
    let mut times = Vec::new();
    for _ in 0..5 {
        // None is held from the time before.
        let auto = Resolver::builder().build();
        let began = Instant::now();
        let first = auto.lookup(("probe.local", PORT)).next().await;
        times.push(began.elapsed());
        assert!(matches!(first, Some(LookupResult::Address(_))), "{first:?}");
    }
    assert_quick("probe.local", Duration::from_millis(50), times);

    // avahi takes five seconds for each family, and one call for both takes ten.
    let (by_itself, at_deadline) =
        futures_util::future::join(ends_after(30, "gone.local"), ends_after(2, "gone.local")).await;
    println!("gone.local: {by_itself:?}, with a deadline of 2 s {at_deadline:?}");
    assert_eq!(by_itself.1, LookupErrorKind::NotFound);
    assert!((5.0..9.0).contains(&by_itself.0.as_secs_f64()), "{by_itself:?}");
    assert_eq!(at_deadline.1, LookupErrorKind::Timeout);
    assert!((2.0..4.5).contains(&at_deadline.0.as_secs_f64()), "{at_deadline:?}");
}

#[tokio::test]
async fn os16_a_link_local_address_of_a_real_multicast_name_has_its_zone() {
    let Some(world) = World::with("files mdns_minimal [NOTFOUND=return] dns", "", "") else {
        return;
    };
    let _daemon = avahi(&world);
    let auto = Resolver::builder().build();
    let probe = ours(&auto, "probe.local").await;
    assert_eq!(probe.end, End::Addresses);
    let [SocketAddr::V6(addr)] = probe.v6[..] else { panic!("{probe:?}") };
    assert!(addr.ip().is_unicast_link_local() && addr.scope_id() != 0, "{addr}");
    assert_eq!(probe, theirs("probe.local"));
    assert_eq!(auto.stats().link_local, 0);
}
