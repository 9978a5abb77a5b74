//! What the options of sockets promise: they are on the socket, and one that cannot be set fails its
//! attempt alone.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outrace::happy_eyeballs::{
    AttemptOutcome, AttemptStage, BorrowedSocket, ConnectOptions, SocketOptions, connect_results,
    race,
};
use socket2::SockRef;

use super::connect::{V4_1, V4_2, V6, known};
use crate::support::{Behaviour, Web};

#[tokio::test]
async fn the_hook_has_the_socket_before_it_connects_and_may_refuse() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V4_2, Behaviour::Serve)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let socket = SocketOptions::default().before_connect({
        let seen = Arc::clone(&seen);
        move |socket, addr| {
            seen.lock().unwrap().push(addr);
            assert!(SockRef::from(&socket).peer_addr().is_err(), "not connected yet");
            if addr.ip() == V4_1 { Err(ErrorKind::PermissionDenied.into()) } else { Ok(()) }
        }
    });
    let options = ConnectOptions::default().socket(socket);
    let (_stream, info) = connect_results(known(addrs), &options).await.unwrap();
    assert_eq!(info.addr(), addrs[1]);
    assert_eq!(*seen.lock().unwrap(), addrs);
    let AttemptOutcome::Failed(error) = &info.attempts()[0].outcome else { panic!("{info:?}") };
    assert_eq!(
        (error.stage(), error.io_error().kind()),
        (AttemptStage::Hook, ErrorKind::PermissionDenied)
    );
}

#[tokio::test]
async fn cr14_one_hook_has_the_socket_before_it_is_bound_and_one_after() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let addr = SocketAddr::new(V4_1, web.port());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |hook: &'static str| {
        let seen = Arc::clone(&seen);
        move |socket: BorrowedSocket<'_>, addr: SocketAddr| {
            let local = SockRef::from(&socket).local_addr().ok().and_then(|a| a.as_socket());
            seen.lock().unwrap().push((hook, local.map(|local| local.ip()), addr));
            Ok(())
        }
    };
    let local = Ipv4Addr::new(127, 0, 0, 9);
    let socket = SocketOptions::default()
        .local_ipv4(local)
        .before_connect(note("connect"))
        .before_bind(note("bind"));
    let options = ConnectOptions::default().socket(socket);
    connect_results(known([addr]), &options).await.unwrap();
    let seen = seen.lock().unwrap();
    let [("bind", unbound, to_bind), ("connect", bound, to_connect)] = seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!((to_bind, to_connect), (addr, addr));
    // Windows has no name for a socket that is not bound.
    assert!(unbound.is_none_or(|ip| ip.is_unspecified()), "{unbound:?}");
    assert_eq!(bound, Some(local.into()));
}

#[tokio::test]
async fn cr14_a_hook_may_refuse_before_anything_is_bound() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let socket =
        SocketOptions::default().before_bind(|_, _| Err(ErrorKind::PermissionDenied.into()));
    let options = ConnectOptions::default().socket(socket);
    let addr = SocketAddr::new(V4_1, web.port());
    let error = connect_results(known([addr]), &options).await.unwrap_err();
    let AttemptOutcome::Failed(failure) = &error.attempts()[0].outcome else { panic!("{error:?}") };
    assert_eq!(failure.stage(), AttemptStage::Hook);
}

/// The system would take each of them for something else, or leave it out.
#[tokio::test]
async fn cr16_a_setting_out_of_range_is_moved_into_it() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let addr = SocketAddr::new(V4_1, web.port());
    let ms = Duration::from_millis;
    for (time, expected) in [(ms(0), 1), (ms(500), 1), (ms(1001), 2), (Duration::MAX, 32_767)] {
        let socket = SocketOptions::default()
            .keepalive_time(time)
            .keepalive_interval(time)
            .keepalive_retries(if time == Duration::MAX { u32::MAX } else { 0 })
            .send_buffer_size(usize::MAX)
            .recv_buffer_size(usize::MAX);
        #[cfg(target_os = "linux")]
        let socket = socket.user_timeout(time.saturating_add(Duration::from_micros(500)));
        let options = ConnectOptions::default().socket(socket);
        let (stream, _) = connect_results(known([addr]), &options).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap(), "{time:?}");
        // Windows has no call that reads these.
        #[cfg(not(windows))]
        {
            let expected = Duration::from_secs(expected);
            assert_eq!(socket.tcp_keepalive_time().unwrap(), expected, "{time:?}");
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), expected, "{time:?}");
            let retries = if time == Duration::MAX { 127 } else { 1 };
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), retries, "{time:?}");
        }
        #[cfg(windows)]
        let _ = expected;
        #[cfg(target_os = "linux")]
        {
            let expected = if time == Duration::MAX { ms(i32::MAX as u64) } else { time + ms(1) };
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(expected), "{time:?}");
        }
    }
}

#[tokio::test]
async fn cr07_an_unspecified_local_address_is_none() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V6, Behaviour::Serve)]);
    let of = |ip| SocketAddr::new(ip, web.port());
    let v4 = SocketOptions::default().local_ipv4(Ipv4Addr::UNSPECIFIED);
    let v6 = SocketOptions::default().local_ipv6(Ipv6Addr::UNSPECIFIED);
    for (socket, addr) in [(v4, of(V6)), (v6, of(V4_1))] {
        let options = ConnectOptions::default().socket(socket);
        let (_, info) = connect_results(known([addr]), &options).await.unwrap();
        assert_eq!(info.addr(), addr);
    }
}

#[tokio::test]
async fn socket_options_are_on_the_socket() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let addr = SocketAddr::new(V4_1, web.port());
    let seconds = Duration::from_secs;
    let socket = SocketOptions::default()
        .keepalive_time(seconds(61))
        .keepalive_interval(seconds(7))
        .keepalive_retries(5)
        .nodelay(true)
        .reuse_address(true)
        .send_buffer_size(20_000)
        .recv_buffer_size(30_000)
        .local_ipv4(Ipv4Addr::new(127, 0, 0, 9));
    #[cfg(target_os = "linux")]
    let socket = socket.user_timeout(seconds(33)).interface("lo");
    let options = ConnectOptions::default().socket(socket);
    let (stream, _) = connect_results(known([addr]), &options).await.unwrap();

    assert_eq!(stream.local_addr().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 9));
    let socket = SockRef::from(&stream);
    assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
    assert!(socket.reuse_address().unwrap());
    // Windows has no call that reads these.
    #[cfg(not(windows))]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(61));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(7));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
    }
    // Linux reserves twice what is asked for, for its own bookkeeping.
    assert!((20_000..=40_000).contains(&socket.send_buffer_size().unwrap()));
    assert!((30_000..=60_000).contains(&socket.recv_buffer_size().unwrap()));
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(seconds(33)));
        match socket.device() {
            Ok(device) => assert_eq!(device, Some(b"lo".to_vec())),
            // As under qemu-user.
            Err(error) => println!("skipped: the interface cannot be read: {error}"),
        }
    }
}

#[tokio::test]
async fn a_socket_that_cannot_be_bound_fails_its_attempt_alone() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V6, Behaviour::Serve)]);
    let addrs = [V6, V4_1].map(|ip| SocketAddr::new(ip, web.port()));
    // An IPv6 address that this host does not have, and an IPv4 address that it has.
    let socket = SocketOptions::default()
        .local_ipv6("2001:db8::1".parse().unwrap())
        .local_ipv4(Ipv4Addr::LOCALHOST);
    let options = ConnectOptions::default().socket(socket);
    let (_stream, info) = connect_results(known(addrs), &options).await.unwrap();
    assert_eq!(info.addr(), addrs[1]);

    let only_v6 = connect_results(known([addrs[0]]), &options).await.unwrap_err();
    let AttemptOutcome::Failed(error) = &only_v6.attempts()[0].outcome else { panic!() };
    assert_eq!(
        (error.stage(), error.io_error().kind()),
        (AttemptStage::Bind, ErrorKind::AddrNotAvailable)
    );
}

/// `SocketOptions::connect` is the attempt of a caller's race that wants TCP as these options have it.
#[tokio::test]
async fn an_attempt_of_the_caller_connects_with_the_options_of_its_sockets() {
    let web = Web::start([(V4_1, Behaviour::Refuse), (V4_2, Behaviour::Serve)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let sockets = SocketOptions::default().nodelay(true).local_ipv4([127, 0, 0, 9].into());
    let race = race(known(addrs), &ConnectOptions::default(), |endpoint, _| {
        let sockets = &sockets;
        async move { sockets.connect(endpoint.addr).await }
    });
    let (stream, info) = race.await.unwrap();
    assert_eq!((info.addr(), info.attempts().len()), (addrs[1], 2));
    assert!(stream.nodelay().unwrap());
    assert_eq!(stream.local_addr().unwrap().ip(), IpAddr::from([127, 0, 0, 9]));
    let refused = std::io::Error::from(sockets.connect(addrs[0]).await.unwrap_err());
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// Where the system has Multipath TCP, the socket is one; elsewhere the connection is plain TCP.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn mptcp_is_used_where_the_system_has_it_and_tcp_elsewhere() {
    use socket2::{Domain, Protocol, Socket, Type};

    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let addr = SocketAddr::new(V4_1, web.port());
    let options = ConnectOptions::default().socket(SocketOptions::default().mptcp(true));
    let (stream, _) = connect_results(known([addr]), &options).await.unwrap();
    let has_mptcp = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)).is_ok();
    let expected = if has_mptcp { Protocol::MPTCP } else { Protocol::TCP };
    assert_eq!(SockRef::from(&stream).protocol().unwrap(), Some(expected));
}
