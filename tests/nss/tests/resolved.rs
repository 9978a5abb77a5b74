//! OS28: with systemd-resolved and its NSS module.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use outrace::Resolver;
use outrace::resolve::Source;
use outrace_nss::{End, World, ours, theirs};
use support::{Journal, Nameserver};

const SOCKET: &str = "/run/systemd/resolve/io.systemd.Resolve";

/// Of names that nameservers know, or do not.
const OVER_DNS: &[&str] =
    &["a.test", "A.Test.", "v4.test", "v6.test", "gone.test", "nodata.test", "broken.test"];

/// A name that the hosts file has, and those that the daemon alone knows, or would ask other links
/// for.
fn others() -> Vec<String> {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").expect("the host name");
    ["host.test", "_gateway", "single", "x.local", "x.y.local", hostname.trim()]
        .map(String::from)
        .into()
}

fn source_of(resolver: &Resolver, name: &str) -> Source {
    resolver.source_for(&name.parse().expect("a name"))
}

#[tokio::test]
async fn os28_names_go_to_resolved_over_dns_or_by_its_module_as_resolv_conf_has_it() {
    let line = "files resolve [!UNAVAIL=return] dns";
    let stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\n";
    let Some(world) = World::with(line, stub, "192.0.2.99 host.test\n") else { return };
    let script = "a.test.      A    -> answer 192.0.2.1
                  a.test.      AAAA -> answer 2001:db8::1
                  v4.test.     A    -> answer 192.0.2.4
                  v6.test.     AAAA -> answer 2001:db8::6
                  nodata.test. *    -> nodata authority at test. soa 30
                  broken.test. *    -> servfail
                  *            *    -> nxdomain authority at . soa 30";
    let nameserver =
        Nameserver::at("127.0.0.1:53".parse().expect("an address"), script, &Journal::new());
    fs::create_dir_all("/run/systemd/resolved.conf.d").expect("a directory");
    fs::write(
        "/run/systemd/resolved.conf.d/test.conf",
        "[Resolve]\nDNS=127.0.0.1\nDomains=~.\nFallbackDNS=\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\n\
         Cache=no\n",
    )
    .expect("a file");
    let daemon = world.start("lib/systemd/systemd-resolved", &[], || {
        UnixStream::connect(SOCKET).is_ok() && TcpStream::connect("127.0.0.53:53").is_ok()
    });

    // Over DNS, so that addresses stream and errors are known as what they are.
    let auto = Resolver::builder().build();
    for name in OVER_DNS {
        assert_eq!(source_of(&auto, name), Source::Own, "{name}");
        let (ours, theirs) = (ours(&auto, name).await, theirs(name));
        match (*name, ours.end, theirs.end) {
            // The module says that there is no such name, whatever it is.
            ("nodata.test", End::NoAddress, End::NoName)
            | ("broken.test", End::Temporary, End::NoName) => {}
            _ => assert_eq!(ours, theirs, "{name}"),
        }
    }
    let stats = auto.stats();
    assert_eq!(stats.system_calls, 0);
    let alone = Resolver::builder().build();
    assert_eq!(ours(&alone, "a.test").await, theirs("a.test"));
    assert_eq!(alone.stats().udp_queries, 2);
    for name in others() {
        let is_in_hosts = name == "host.test";
        let source = if is_in_hosts { Source::Own } else { Source::System };
        assert_eq!(source_of(&auto, &name), source, "{name}");
        assert_eq!(ours(&auto, &name).await, theirs(&name), "{name}");
    }
    assert_eq!(auto.stats().udp_queries, stats.udp_queries);

    // A nameserver of the daemon's: of names that it has for others nothing can be known.
    world.write("resolv.conf", "nameserver 127.0.0.1\n");
    nameserver.barrier();
    let asked = nameserver.journal().queries().len();
    let auto = Resolver::builder().build();
    for name in OVER_DNS.iter().map(ToString::to_string).chain(others()) {
        let source = if name == "host.test" { Source::Own } else { Source::System };
        assert_eq!(source_of(&auto, &name), source, "{name}");
        assert_eq!(ours(&auto, &name).await, theirs(&name), "{name}");
    }
    assert_eq!(auto.stats().udp_queries, 0);
    nameserver.barrier();
    assert!(nameserver.journal().queries().len() > asked, "the daemon has asked");

    // Its socket stays behind, and the module passes.
    drop(daemon);
    let auto = Resolver::builder().build();
    for name in OVER_DNS.iter().map(ToString::to_string).chain(others()) {
        assert_eq!(ours(&auto, &name).await, theirs(&name), "{name}");
    }
    fs::remove_file(SOCKET).expect("a socket");
    let auto = Resolver::builder().build();
    for name in OVER_DNS {
        assert_eq!(source_of(&auto, name), Source::Own, "{name}");
        assert_eq!(ours(&auto, name).await, theirs(name), "{name}");
    }
    assert_eq!(auto.stats().system_calls, 0);
}
