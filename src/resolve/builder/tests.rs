use super::super::config::resolv_conf::{self, Env};
use super::*;

/// The builder and resolv.conf have one range of `attempts` and `ndots`.
#[test]
fn a_count_out_of_range_is_set_to_the_nearer_end_as_in_resolv_conf() {
    let env = Env::default();
    for (given, attempts, ndots) in
        [(0, 1, 0), (1, 1, 1), (5, 5, 5), (6, 5, 6), (15, 5, 15), (16, 5, 15), (255, 5, 15)]
    {
        let settings = ResolverBuilder::new().attempts(given).ndots(given).settings;
        assert_eq!((settings.attempts, settings.ndots), (Some(attempts), Some(ndots)));
        let text = format!("options attempts:{given} ndots:{given}\n");
        let options = resolv_conf::parse(text.as_bytes(), &env).options;
        assert_eq!((options.attempts, options.ndots), (attempts, ndots), "{text}");
    }
}

/// Each call says so of itself, and the documentation of the builder has each of them.
#[test]
fn os31_settings_that_the_system_would_not_heed_are_noted_once() {
    let ip: IpAddr = "127.0.0.1".parse().unwrap();
    let new = ResolverBuilder::new;
    for (call, builder) in [
        (WITHOUT_SYSTEM, new().without_system_configuration()),
        ("resolv_conf", new().resolv_conf("/x")),
        ("hosts", new().hosts("/x")),
        ("nameservers", new().nameservers([SocketAddr::new(ip, 53)])),
        ("search", new().search([])),
        ("strategy", new().strategy(NameserverStrategy::All)),
        ("attempts", new().attempts(3)),
        ("ndots", new().ndots(3).ndots(4)),
        ("edns", new().edns(true)),
        ("tcp_only", new().tcp_only(true)),
        ("rotate", new().rotate(true)),
        ("no_aaaa", new().no_aaaa(true)),
        ("single_request", new().single_request(true)),
        ("mixed_case", new().mixed_case(true)),
        ("local_address", new().local_address(ip)),
        ("route", new().route("a.example", [SocketAddr::new(ip, 53)])),
        ("route_refuse", new().route_refuse("a.example")),
    ] {
        assert_eq!(builder.settings.own_calls, [call]);
    }
    let heeded = new()
        .nameservers([])
        .host("www.test", [ip])
        .source(Source::Auto)
        .timeout(Duration::from_secs(1))
        .cache(None)
        .queue_capacity(1)
        .max_sockets(9)
        .address_policy(AddressPolicy::public_only());
    assert_eq!(heeded.settings.own_calls, [""; 0]);
}

#[test]
fn a_timeout_out_of_range_is_set_to_the_nearer_end() {
    let (ms, s) = (Duration::from_millis, Duration::from_secs);
    for (given, expected) in
        [(Duration::ZERO, ms(1)), (ms(1), ms(1)), (s(30), s(30)), (Duration::MAX, s(30))]
    {
        let settings = ResolverBuilder::new().timeout(given).settings;
        assert_eq!(settings.timeout, Some(expected));
    }
}
