//! The operating system's own lookup.

use std::io::{self, ErrorKind};

use dns_lookup::AddrInfoHints;
use socket2::{Domain, Type};

use crate::os;
use crate::resolve::error::{LookupErrorKind, RecordType};
use crate::resolve::system::codes::{self, Meaning, THIS_SYSTEM};
use crate::resolve::system::{Call, CallOutcome, Families, ScopedIp};
use crate::resolve::system_failure::SystemCause;

/// Both address families (`AF_UNSPEC`).
const BOTH: i32 = 0;

/// Makes a call. It may take seconds, or never come back.
///
/// No flags: `AI_ADDRCONFIG` finds no address at all on a host that has loopback alone, mapped
/// addresses are not IPv6, and the canonical name need not be UTF-8.
pub(crate) fn getaddrinfo(call: &Call) -> CallOutcome {
    let (name, families) = (call.name.as_str(), call.families);
    let family = match families {
        Families::One(RecordType::A) => Domain::IPV4.into(),
        Families::One(RecordType::Aaaa) => Domain::IPV6.into(),
        Families::Both => BOTH,
    };
    let outcome = again_if_interrupted(|| ask(name, family, families));
    if families == Families::Both || !outcome.lacks_scope() {
        return outcome;
    }
    // glibc tells the scope of a link-local address to callers that ask for both families.
    outcome.with_scopes(again_if_interrupted(|| ask(name, BOTH, families)))
}

/// What the operating system says, or that the call was interrupted.
fn ask(name: &str, family: i32, families: Families) -> Result<CallOutcome, SystemCause> {
    let socktype = Type::STREAM.into();
    let hints = AddrInfoHints { flags: 0, address: family, socktype, protocol: 0 };
    match dns_lookup::getaddrinfo(Some(name), None, Some(hints)) {
        // An entry of another family than IP is left out.
        Ok(found) => Ok(CallOutcome::of_addresses(
            found.flatten().map(|info| scoped_ip(info.sockaddr)),
            families,
        )),
        Err(error) => {
            let code = error.error_num();
            outcome_of_error(code, codes::meaning(THIS_SYSTEM, code), &error.into())
        }
    }
}

fn scoped_ip(addr: std::net::SocketAddr) -> ScopedIp {
    match addr {
        std::net::SocketAddr::V4(addr) => ((*addr.ip()).into(), 0),
        std::net::SocketAddr::V6(addr) => ((*addr.ip()).into(), addr.scope_id()),
    }
}

/// What an error comes to; the cause, if it was an interruption.
fn outcome_of_error(
    code: i32,
    meaning: Meaning,
    error: &io::Error,
) -> Result<CallOutcome, SystemCause> {
    match meaning {
        Meaning::Again => Err(SystemCause::Code(code)),
        Meaning::SeeErrno => {
            let errno = error.raw_os_error().unwrap_or(0);
            let meaning = match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock => {
                    return Err(SystemCause::Os(errno));
                }
                // glibc sets none where it is out of files.
                _ if errno == 0 || os::is_out_of_resources(error) => Meaning::OutOfResources,
                ErrorKind::NetworkUnreachable
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::ConnectionRefused => Meaning::Unreachable,
                ErrorKind::TimedOut => Meaning::TimedOut,
                _ => Meaning::Failed,
            };
            Ok(CallOutcome::of_meaning(meaning, SystemCause::Os(errno)))
        }
        meaning => Ok(CallOutcome::of_meaning(meaning, SystemCause::Code(code))),
    }
}

/// Asks once more if the first call was interrupted.
fn again_if_interrupted(mut ask: impl FnMut() -> Result<CallOutcome, SystemCause>) -> CallOutcome {
    let failed = |cause| CallOutcome::Failed(LookupErrorKind::ServerFailure, cause);
    ask().or_else(|_| ask()).unwrap_or_else(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn of_errno(errno: i32) -> Result<CallOutcome, SystemCause> {
        outcome_of_error(-11, Meaning::SeeErrno, &io::Error::from_raw_os_error(errno))
    }

    #[cfg(unix)]
    #[test]
    fn os07_an_error_of_the_system_is_known_by_its_number() {
        use LookupErrorKind::{Resources, ServerFailure, Timeout, Unreachable};
        use nix::errno::Errno;
        for (errno, kind) in [
            (0, Resources),
            (Errno::EMFILE as i32, Resources),
            (Errno::ENFILE as i32, Resources),
            (Errno::ENOMEM as i32, Resources),
            (Errno::ENOBUFS as i32, Resources),
            (Errno::ENETUNREACH as i32, Unreachable),
            (Errno::EHOSTUNREACH as i32, Unreachable),
            (Errno::ENETDOWN as i32, Unreachable),
            (Errno::ECONNREFUSED as i32, Unreachable),
            (Errno::ETIMEDOUT as i32, Timeout),
            (Errno::EINVAL as i32, ServerFailure),
        ] {
            let outcome = CallOutcome::Failed(kind, SystemCause::Os(errno));
            assert_eq!(of_errno(errno), Ok(outcome), "{errno}");
        }
        for errno in [Errno::EINTR as i32, Errno::EAGAIN as i32] {
            assert_eq!(of_errno(errno), Err(SystemCause::Os(errno)));
        }
    }

    #[test]
    fn os07_an_interrupted_call_is_made_once_more_and_not_twice() {
        let mut calls = 0;
        let outcome = again_if_interrupted(|| {
            calls += 1;
            if calls == 1 { Err(SystemCause::Os(4)) } else { Ok(CallOutcome::NoData) }
        });
        assert_eq!((outcome, calls), (CallOutcome::NoData, 2));
        let mut calls = 0;
        let outcome = again_if_interrupted(|| {
            calls += 1;
            Err(SystemCause::Os(4))
        });
        let failed = CallOutcome::Failed(LookupErrorKind::ServerFailure, SystemCause::Os(4));
        assert_eq!((outcome, calls), (failed, 2));
    }

    #[test]
    fn os06_a_code_keeps_its_number_in_the_failure() {
        let error = io::Error::other("any");
        let meaning = codes::meaning(THIS_SYSTEM, 4711);
        let failed = CallOutcome::Failed(LookupErrorKind::ServerFailure, SystemCause::Code(4711));
        assert_eq!(outcome_of_error(4711, meaning, &error), Ok(failed));
        assert_eq!(SystemCause::Code(4711).to_string(), "error 4711 of getaddrinfo");
    }
}
