//! The host and port that a URI names (RFC 3986 section 3.2).

use std::borrow::Cow;

use http::Uri;
use http::uri::Scheme;

use crate::happy_eyeballs::UriError;
use crate::target::parse_port;
use crate::{ConnectError, Target, TargetError};

/// The host and port of `uri`: an IPv6 address stands in brackets there (RFC 3986 section 3.2.2), and
/// user information is of no interest here.
pub(super) fn target(uri: &Uri, enforce_http: bool) -> Result<Target, ConnectError> {
    let scheme = uri.scheme();
    if enforce_http && scheme != Some(&Scheme::HTTP) {
        return Err(ConnectError::invalid_uri(UriError::NotHttp));
    }
    let scheme = scheme.ok_or_else(|| ConnectError::invalid_uri(UriError::NoScheme))?;
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| ConnectError::invalid_uri(UriError::NoHost))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let port = port(authority).map_err(ConnectError::invalid_target)?;
    let port = port.unwrap_or_else(|| default_port(scheme));
    Target::try_from((&*decode_zone(host), port)).map_err(ConnectError::invalid_target)
}

/// The port of an authority, if it has one; an empty one counts as none (RFC 3986 section 3.2.3).
/// `Uri::port` makes none of one that is out of range too, and the request would go elsewhere.
fn port(authority: &str) -> Result<Option<u16>, TargetError> {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let after_host = match host_and_port.rsplit_once(']') {
        Some((_, rest)) => rest.strip_prefix(':'),
        None => host_and_port.split_once(':').map(|(_, port)| port),
    };
    after_host.filter(|port| !port.is_empty()).map(parse_port).transpose()
}

fn default_port(scheme: &Scheme) -> u16 {
    let is = |name: &str| scheme.as_str().eq_ignore_ascii_case(name);
    if is("https") || is("wss") { 443 } else { 80 }
}

/// Decodes the zone of an IPv6 address in a URI: RFC 6874 writes `%25eth0`, and RFC 9844, which
/// replaces it, `%eth0`. A `%25` with nothing behind it can only be the zone 25.
pub(super) fn decode_zone(host: &str) -> Cow<'_, str> {
    let Some((address, zone)) = host.split_once("%25") else { return host.into() };
    let (zone, bracket) = zone.strip_suffix(']').map_or((zone, ""), |zone| (zone, "]"));
    if zone.is_empty() || !address.contains(':') || address.contains('%') {
        return host.into();
    }
    match percent_decoded(zone) {
        Some(zone) => format!("{address}%{zone}{bracket}").into(),
        None => host.into(),
    }
}

/// Decodes `%2e` and the like (RFC 3986 section 2.1); `None` if that gives no text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let octet = part.get(..2).filter(|hex| hex.bytes().all(|c| c.is_ascii_hexdigit()))?;
        decoded.push(u8::from_str_radix(octet, 16).ok()?);
        decoded.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostName;

    fn told(uri: &str, enforce_http: bool) -> Result<String, ConnectError> {
        target(&uri.parse().unwrap(), enforce_http).map(|target| target.to_string())
    }

    #[test]
    fn a_uri_names_host_and_port() {
        for (uri, expected) in [
            ("http://example.com/path", "example.com:80"),
            ("https://example.com/", "example.com:443"),
            ("http://example.com:8080", "example.com:8080"),
            ("https://user:secret@example.com/", "example.com:443"),
            ("http://192.0.2.1/", "192.0.2.1:80"),
            ("https://[2001:db8::1]/", "[2001:db8::1]:443"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(told(uri, false).as_deref(), Ok(expected), "{uri}");
        }
    }

    #[test]
    fn a_uri_that_names_none_is_refused_by_cause() {
        for (enforce_http, uri, cause) in [
            (true, "https://example.com/", ConnectError::invalid_uri(UriError::NotHttp)),
            (true, "/path", ConnectError::invalid_uri(UriError::NotHttp)),
            (false, "/path", ConnectError::invalid_uri(UriError::NoScheme)),
            (false, "example.com:80", ConnectError::invalid_uri(UriError::NoScheme)),
            (false, "http://127.1/", ConnectError::invalid_target(name_error("127.1"))),
            (false, "http://a..b/", ConnectError::invalid_target(name_error("a..b"))),
        ] {
            let error = told(uri, enforce_http).unwrap_err();
            assert_eq!(error, cause, "{uri}");
            assert!(error.is_invalid_target(), "{uri}");
        }
    }

    fn name_error(host: &str) -> TargetError {
        TargetError::Name(host.parse::<HostName>().unwrap_err())
    }

    #[test]
    fn cr02_a_zone_in_a_uri_is_written_in_either_way() {
        for (uri, expected) in [
            ("http://[fe80::1%251]/", "[fe80::1%1]:80"),
            ("http://[fe80::1%1]/", "[fe80::1%1]:80"),
            ("http://[fe80::1%25]/", "[fe80::1%25]:80"),
            ("http://[fe80::1%2525]:8080/", "[fe80::1%25]:8080"),
            ("http://[fe80::1%25%31]/", "[fe80::1%1]:80"),
        ] {
            assert_eq!(told(uri, true).as_deref(), Ok(expected), "{uri}");
        }
        for uri in ["http://[fe80::1%25%]/", "http://[fe80::1%25%zz]/", "http://[fe80::1%25%ff]/"] {
            let error = told(uri, true).unwrap_err();
            assert_eq!(error, ConnectError::invalid_target(TargetError::Zone), "{uri}");
        }
        // HttpConnector hands a name over without the brackets.
        assert_eq!(decode_zone("fe80::1%25eth0"), "fe80::1%eth0");
        assert_eq!(decode_zone("a%25b.example"), "a%25b.example");
    }

    #[test]
    fn cr03_a_port_that_is_none_is_not_the_default_port() {
        for uri in [
            "http://example.com:99999/",
            "http://[2001:db8::1]:65536/",
            "http://user:secret@example.com:99999/",
            "http://192.0.2.1:100000",
        ] {
            let error = told(uri, true).unwrap_err();
            assert_eq!(error, ConnectError::invalid_target(TargetError::Port), "{uri}");
        }
        for (uri, expected) in [
            ("http://example.com:/", "example.com:80"),
            ("http://example.com:0/", "example.com:0"),
            ("http://user:99999@example.com/", "example.com:80"),
            ("http://[2001:db8::1]:65535/", "[2001:db8::1]:65535"),
        ] {
            assert_eq!(told(uri, true).as_deref(), Ok(expected), "{uri}");
        }
    }

    #[test]
    fn cr17_each_scheme_has_its_default_port() {
        for (uri, expected) in [
            ("ws://example.com", "example.com:80"),
            ("wss://example.com", "example.com:443"),
            ("WSS://example.com", "example.com:443"),
            ("wss://example.com:8443", "example.com:8443"),
            ("https://example.com", "example.com:443"),
            ("HTTPS://example.com", "example.com:443"),
        ] {
            assert_eq!(told(uri, false).as_deref(), Ok(expected), "{uri}");
        }
    }
}
