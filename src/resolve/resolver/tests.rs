//! What becomes of lookups when the thread that carries them dies. Nothing that can be sent to it
//! makes it panic, as far as is known, so here a command does.

use std::net::UdpSocket;

use futures_util::FutureExt;

use super::*;
use crate::futex_queue;
use crate::resolve::{AddressFamily, LookupErrorKind};

const PENDING: u64 = 50;

/// Answers what is asked of `www.test`, with 192.0.2.1, and nothing else, as long as the process
/// lives.
fn serve(socket: &UdpSocket) {
    let (mut query, name) = ([0; 512], b"\x03www\x04test\0");
    while let Ok((len, client)) = socket.recv_from(&mut query) {
        if !query[12..len].starts_with(name) {
            continue;
        }
        let question = &query[12..12 + name.len() + 4];
        let header = [&query[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]].concat();
        let answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
        socket.send_to(&[&header[..], question, &answer].concat(), client).unwrap();
    }
}

#[test]
fn t24_a_thread_that_dies_ends_its_lookups_and_the_next_lookup_starts_another() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([socket.local_addr().unwrap()])
        .timeout(Duration::from_secs(30))
        .build();
    std::thread::spawn(move || serve(&socket));
    for life in 1..=3 {
        die_and_live_on(&resolver, life);
    }
}

fn die_and_live_on(resolver: &Resolver, life: u64) {
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    let start = |name: &str, count: u64| -> Vec<LookupStream> {
        let names = (0..count).map(|n| (format!("{name}{life}n{n}.test"), 80));
        let mut streams: Vec<_> = names.map(|name| resolver.lookup_with(name, &options)).collect();
        for stream in &mut streams {
            assert_eq!(stream.next().now_or_never(), None, "nothing has come yet");
        }
        streams
    };
    let gone = || LookupResult::End(Err(LookupErrorKind::ResolverGone.into()));
    let before = resolver.stats().lookups;

    let pending = start("pending", PENDING);
    let (putter, mut getter) = futex_queue::bounded(16);
    resolver.lookup_into(format!("shared{life}.test:80").as_str(), &options, putter, "tag");
    while resolver.stats().lookups < before + PENDING + 1 {
        std::thread::yield_now();
    }
    assert!(resolver.stats().open_sockets > 0);

    resolver.inner.driver.send(Command::Die);
    for stream in pending {
        assert_eq!(stream.into_blocking_iter().collect::<Vec<_>>(), [gone()]);
    }
    assert_eq!(getter.blocking_get_one(None), Ok(("tag", gone())), "a shared queue gets it too");
    assert!(getter.blocking_get_one(None).is_err(), "and has lost its putter");
    assert_eq!(resolver.stats().open_sockets, 0, "the sockets went with the thread");

    let results: Vec<_> =
        resolver.lookup_with("www.test:80", &options).into_blocking_iter().collect();
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
    assert_eq!(resolver.stats().open_sockets, 0, "and those of the next one are closed");
}

#[test]
fn rr23_a_resolver_whose_nameservers_do_not_respond_looks_at_its_files_soon() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([addr])
        .timeout(Duration::from_millis(300))
        .cache(None)
        .build();
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    let end = || resolver.lookup_with("www.test:80", &options).into_blocking_iter().last();
    drop(socket);
    assert!(matches!(end(), Some(LookupResult::End(Err(_)))));
    assert!(resolver.inner.driver.is_forsaken());
    assert!(resolver.inner.driver.has_outage());
    let socket = UdpSocket::bind(addr).unwrap();
    std::thread::spawn(move || serve(&socket));
    assert_eq!(end(), Some(LookupResult::End(Ok(()))));
    assert!(!resolver.inner.driver.is_forsaken());
}

/// The root route is well, so only this tells callers to look at the files soon.
#[test]
fn os45_a_lookup_without_a_response_makes_the_next_look_due() {
    let (root, corp) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([root.local_addr().unwrap()])
        .route("corp.test", [corp.local_addr().unwrap()])
        .timeout(Duration::from_millis(300))
        .build();
    std::thread::spawn(move || serve(&root));
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    let end = |name: &str| resolver.lookup_with((name, 80), &options).into_blocking_iter().last();
    assert_eq!(end("www.test"), Some(LookupResult::End(Ok(()))));
    let driver = &resolver.inner.driver;
    assert!(!driver.has_outage());
    assert!(matches!(end("www.corp.test"), Some(LookupResult::End(Err(_)))));
    assert!(driver.has_outage() && !driver.is_forsaken());
    // A look forgets it.
    resolver.network_changed();
    assert_eq!(end("www.test"), Some(LookupResult::End(Ok(()))));
    assert!(!driver.has_outage());
    drop(corp);
}

#[test]
fn at10_what_is_wrong_with_the_files_is_told() {
    let name = format!("outrace-diagnostics-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, "nameserver 192.0.2.1\nnameservr 192.0.2.2\n").unwrap();
    let builder = Resolver::builder().without_system_configuration();
    let resolver = builder.resolv_conf(&path).build();
    std::fs::remove_file(&path).unwrap();
    let told: Vec<_> = resolver.diagnostics().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["resolv.conf line 2: \"nameservr\": unknown keyword"]);
}
