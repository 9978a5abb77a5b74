//! OS21: a process that is forked off after some lookups of the operating system looks names up as
//! well, on threads of its own, or is told within a second that it cannot.
//!
//! Without the test harness, whose threads would be copied in the middle of something.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[path = "../../fork/child.rs"]
mod child;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::{Duration, Instant};

    use futures_util::FutureExt;
    use nix::sys::wait::WaitStatus;
    use nix::unistd::{ForkResult, fork};
    use outrace::{LookupErrorKind, LookupResult, LookupStream, Resolver};
    use outrace_nss::{PORT, World};

    use super::child::status_of;

    const FORKS: usize = 50;
    /// What a lookup in the child may take.
    const LIMIT: Duration = Duration::from_secs(1);
    /// After this the child hangs. It makes some lookups, on a machine that may be busy.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub(super) fn main() {
        let Some(_world) = World::with("files probe", "", "") else { return };
        let resolver = Resolver::builder().timeout(LIMIT).build();
        let patient = Resolver::builder().timeout(PATIENCE * 3).build();
        let mut found = 0;
        for round in 0..FORKS {
            for name in ["plain", "v4only", "many"] {
                let results = resolver.lookup((format!("n{round}.{name}.probe"), PORT));
                assert_eq!(last(results), LookupResult::End(Ok(())));
            }
            let mut pending = patient.lookup(("hang.probe", PORT));
            assert_eq!(pending.next().now_or_never(), None, "nothing has come yet");
            // SAFETY: the child uses outrace alone, and ends with `_exit`. Of the other threads,
            // one may be in the C library, which makes its own locks work after a fork.
            match unsafe { fork() }.expect("a child") {
                ForkResult::Child => {
                    let code = child(&resolver, pending, round);
                    // SAFETY: it has no precondition.
                    unsafe { nix::libc::_exit(code) }
                }
                ForkResult::Parent { child } => match status_of(child, PATIENCE) {
                    Some(WaitStatus::Exited(_, 0)) => found += 1,
                    Some(WaitStatus::Exited(_, 1)) => {}
                    None => panic!("the child of round {round} hangs"),
                    Some(status) => panic!("the child of round {round}: {status:?}"),
                },
            }
            assert_eq!(pending.next().now_or_never(), None, "still pending");
        }
        assert!(found > 0, "no child found its names");
        println!("OS21: {FORKS} children, of which {found} found their names");
        println!("test result: ok. 1 passed; 0 failed");
    }

    /// What the child does. Nothing panics here: the code says what went wrong; 1 is an error in
    /// time.
    fn child(resolver: &Resolver, pending: LookupStream, round: usize) -> i32 {
        match last(pending) {
            LookupResult::End(Err(error)) if error.kind() == LookupErrorKind::ResolverGone => {}
            _ => return 2,
        }
        let mut code = 0;
        for name in ["plain", "gone"] {
            let began = Instant::now();
            let results = resolver.lookup((format!("child{round}.{name}.probe"), PORT));
            let end = last(results);
            // The deadline is a second; the rest is for a busy machine.
            if began.elapsed() > LIMIT * 2 {
                return 3;
            }
            match (name, end) {
                ("plain", LookupResult::End(Ok(()))) => {}
                (_, LookupResult::End(Err(error)))
                    if name == "gone" && error.kind() == LookupErrorKind::NotFound => {}
                (_, LookupResult::End(Err(error))) if error.is_temporary() => code = 1,
                _ => return 4,
            }
        }
        code
    }

    fn last(results: LookupStream) -> LookupResult {
        results.into_blocking_iter().last().expect("every lookup has an end")
    }
}
