//! What the error codes of `getaddrinfo` mean.
//!
//! The text of an error is of no use: it is translated, and std has nothing else. So it goes by the
//! number, and each family of C libraries has numbers of its own.

/// A family of C libraries with the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "each system has one of them"))]
pub(crate) enum Numbering {
    /// glibc and musl.
    Linux,
    OpenBsd,
    /// Apple's systems, Android, FreeBSD, NetBSD.
    Bsd,
    Illumos,
    Windows,
}

/// The numbers of the system that this is compiled for.
pub(crate) const THIS_SYSTEM: Numbering = if cfg!(windows) {
    Numbering::Windows
} else if cfg!(target_os = "openbsd") {
    Numbering::OpenBsd
} else if cfg!(any(target_os = "illumos", target_os = "solaris")) {
    Numbering::Illumos
} else if cfg!(any(target_os = "linux", target_os = "hurd")) {
    Numbering::Linux
} else {
    Numbering::Bsd
};

/// What a code means for one name and one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// No proof that the name does not exist: modules of the operating system say so as well when
    /// it has no address, or when its nameserver has failed.
    NoName,
    NoData,
    NoFamily,
    /// The lookup failed, and may succeed another time.
    Failed,
    OutOfResources,
    /// There is no network.
    Unreachable,
    TimedOut,
    /// The answer does not fit.
    Overflow,
    /// The system's own error number has the cause.
    SeeErrno,
    /// Interrupted: to be asked once more.
    Again,
}

/// The codes of `getaddrinfo`, by their POSIX names, and those of the C libraries' own.
const UNIX: [(&str, [Option<i32>; 4], Meaning); 17] = {
    use Meaning::{
        Again, Failed, NoData, NoFamily, NoName, OutOfResources, Overflow, SeeErrno, TimedOut,
    };
    const fn all(linux: i32, bsd: i32) -> [Option<i32>; 4] {
        [Some(linux), Some(linux), Some(bsd), Some(bsd)]
    }
    const fn linux(code: i32) -> [Option<i32>; 4] {
        [Some(code), None, None, None]
    }
    [
        ("EAI_NONAME", all(-2, 8), NoName),
        ("EAI_NODATA", all(-5, 7), NoData),
        ("EAI_ADDRFAMILY", all(-9, 1), NoData),
        // glibc says so as well when its nameserver is refused, or answers what cannot be read.
        ("EAI_AGAIN", all(-3, 2), Failed),
        ("EAI_FAIL", all(-4, 4), Failed),
        ("EAI_MEMORY", all(-10, 6), OutOfResources),
        ("EAI_SYSTEM", all(-11, 11), SeeErrno),
        ("EAI_OVERFLOW", [Some(-12), Some(-14), Some(14), Some(12)], Overflow),
        ("EAI_FAMILY", all(-6, 5), NoFamily),
        ("EAI_IDN_ENCODE", linux(-105), NoName),
        ("EAI_INTR", linux(-104), Again),
        ("EAI_CANCELED", linux(-101), TimedOut),
        // No name causes these.
        ("EAI_BADFLAGS", all(-1, 3), Failed),
        ("EAI_SOCKTYPE", all(-7, 10), Failed),
        ("EAI_SERVICE", all(-8, 9), Failed),
        ("EAI_BADHINTS", [None, Some(-12), Some(12), None], Failed),
        ("EAI_PROTOCOL", [None, Some(-13), Some(13), None], Failed),
    ]
};

/// The codes of `getaddrinfo` on Windows, which are Winsock's.
const WINDOWS: [(&str, i32, Meaning); 18] = {
    use Meaning::{Failed, NoData, NoFamily, NoName, OutOfResources, TimedOut, Unreachable};
    [
        ("WSAHOST_NOT_FOUND", 11001, NoName),
        ("WSANO_DATA", 11004, NoData),
        ("WSATRY_AGAIN", 11002, Failed),
        ("WSANO_RECOVERY", 11003, Failed),
        ("WSA_NOT_ENOUGH_MEMORY", 8, OutOfResources),
        ("WSAEAFNOSUPPORT", 10047, NoFamily),
        ("WSASYSNOTREADY", 10091, Unreachable),
        ("WSANOTINITIALISED", 10093, Unreachable),
        ("WSAENETDOWN", 10050, Unreachable),
        ("WSAENOBUFS", 10055, OutOfResources),
        ("WSAEMFILE", 10024, OutOfResources),
        ("WSAETIMEDOUT", 10060, TimedOut),
        ("ERROR_TIMEOUT", 1460, TimedOut),
        ("WSA_E_CANCELLED", 10111, TimedOut),
        ("WSAECANCELLED", 10103, TimedOut),
        ("WSAEINVAL", 10022, Failed),
        ("WSAESOCKTNOSUPPORT", 10044, Failed),
        ("WSATYPE_NOT_FOUND", 10109, Failed),
    ]
};

/// What `code` means. One that no table has is a failure that may pass.
pub(crate) fn meaning(numbering: Numbering, code: i32) -> Meaning {
    find(numbering, code).map_or(Meaning::Failed, |found| found.1)
}

/// The name of `code`, if it has one.
pub(crate) fn name(numbering: Numbering, code: i32) -> Option<&'static str> {
    find(numbering, code).map(|found| found.0)
}

fn find(numbering: Numbering, code: i32) -> Option<(&'static str, Meaning)> {
    let column = match numbering {
        Numbering::Linux => 0,
        Numbering::OpenBsd => 1,
        Numbering::Bsd => 2,
        Numbering::Illumos => 3,
        Numbering::Windows => {
            let mut rows = WINDOWS.iter();
            return rows.find(|row| row.1 == code).map(|&(name, _, meaning)| (name, meaning));
        }
    };
    let mut rows = UNIX.iter();
    rows.find(|row| row.1[column] == Some(code)).map(|&(name, _, meaning)| (name, meaning))
}

#[cfg(test)]
mod tests {
    use Meaning::{
        Again, Failed, NoData, NoFamily, NoName, OutOfResources, Overflow, SeeErrno, TimedOut,
        Unreachable,
    };
    use Numbering::{Bsd, Illumos, Linux, OpenBsd, Windows};

    use super::*;

    #[test]
    fn os06_each_code_means_the_same_on_every_numbering() {
        for (meaning_of_it, codes) in [
            (
                NoName,
                &[
                    (Linux, -2),
                    (OpenBsd, -2),
                    (Bsd, 8),
                    (Illumos, 8),
                    (Windows, 11001),
                    (Linux, -105),
                ][..],
            ),
            (
                NoData,
                &[(Linux, -5), (OpenBsd, -5), (Bsd, 7), (Windows, 11004), (Linux, -9), (Bsd, 1)],
            ),
            (NoFamily, &[(Linux, -6), (Bsd, 5), (Windows, 10047)]),
            (SeeErrno, &[(Linux, -11), (OpenBsd, -11), (Bsd, 11), (Illumos, 11)]),
            (Again, &[(Linux, -104)]),
            (
                Failed,
                &[(Linux, -3), (Bsd, 2), (Windows, 11002), (Linux, -4), (Bsd, 4), (Windows, 11003)],
            ),
            (
                OutOfResources,
                &[(Linux, -10), (Bsd, 6), (Windows, 8), (Windows, 10055), (Windows, 10024)],
            ),
            (Overflow, &[(Linux, -12), (OpenBsd, -14), (Bsd, 14), (Illumos, 12)]),
            (Unreachable, &[(Windows, 10091), (Windows, 10093), (Windows, 10050)]),
            (TimedOut, &[(Windows, 10060), (Windows, 1460), (Windows, 10111), (Windows, 10103)]),
            (
                Failed,
                &[
                    (Linux, -1),
                    (Linux, -7),
                    (Linux, -8),
                    (OpenBsd, -12),
                    (OpenBsd, -13),
                    (Bsd, 3),
                    (Bsd, 9),
                    (Bsd, 10),
                    (Bsd, 12),
                    (Bsd, 13),
                ],
            ),
            (Failed, &[(Windows, 10044), (Windows, 10109), (Windows, 10022)]),
        ] {
            for &(numbering, code) in codes {
                assert_eq!(meaning(numbering, code), meaning_of_it, "{numbering:?} {code}");
                assert!(name(numbering, code).is_some(), "{numbering:?} {code}");
            }
        }
    }

    #[test]
    fn os06_an_unknown_code_is_a_failure_that_may_pass() {
        for numbering in [Linux, OpenBsd, Bsd, Illumos, Windows] {
            for code in [0, 1 << 20, i32::MIN, i32::MAX, 4711] {
                assert_eq!(meaning(numbering, code), Failed);
                assert_eq!(name(numbering, code), None);
            }
        }
    }
}
