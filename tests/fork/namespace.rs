//! AT06: the first process of a PID namespace, as in a container, makes another namespace and forks.
//! The child is the first process there and has the same pid, 1, but not the same threads.
//!
//! It starts itself once more as such a process, which takes user namespaces.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod child;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::Command;
    use std::time::Duration;

    use futures_util::FutureExt;
    use nix::sched::{CloneFlags, unshare};
    use nix::sys::wait::WaitStatus;
    use nix::unistd::{ForkResult, fork};
    use outrace::{LookupErrorKind, LookupResult, LookupStream, Resolver};

    use super::child::status_of;
    use super::support::Nameserver;

    /// After this the child hangs.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub(super) fn main() {
        if std::process::id() == 1 {
            return first_process();
        }
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--"]);
            command
        };
        if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
            println!("NOT CHECKED: no PID namespace can be made here");
            return;
        }
        let program = std::env::current_exe().unwrap();
        assert!(unshare().arg(program).status().unwrap().success());
        println!("test result: ok. 1 passed; 0 failed");
    }

    fn first_process() {
        let nameserver = Nameserver::start(
            "www.example.test.    * -> answer 192.0.2.1
             *.hang.example.test. * -> drop",
        );
        let resolver = Resolver::builder()
            .without_system_configuration()
            .nameservers([nameserver.addr()])
            .timeout(PATIENCE * 3)
            .cache(None)
            .build();
        let mut pending = resolver.lookup("a.hang.example.test:80");
        assert_eq!(pending.next().now_or_never(), None, "nothing has come yet");
        assert_eq!(last(resolver.lookup("www.example.test:80")), LookupResult::End(Ok(())));
        unshare(CloneFlags::CLONE_NEWPID).expect("a namespace for the children");
        // SAFETY: as in fork.rs; the other threads are the resolver's and the nameserver's.
        match unsafe { fork() }.expect("a child") {
            ForkResult::Child => {
                let code = child(&resolver, pending);
                // SAFETY: it has no precondition.
                unsafe { nix::libc::_exit(code) }
            }
            ForkResult::Parent { child } => {
                let status = status_of(child, PATIENCE).expect("the child hangs");
                assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
            }
        }
        let goes_on = last(resolver.lookup("www.example.test:80"));
        assert_eq!(goes_on, LookupResult::End(Ok(())), "the parent goes on");
    }

    /// What the child does. Nothing panics here: the code says what went wrong.
    fn child(resolver: &Resolver, pending: LookupStream) -> i32 {
        if std::process::id() != 1 {
            return 1;
        }
        match last(pending) {
            LookupResult::End(Err(error)) if error.kind() == LookupErrorKind::ResolverGone => {}
            _ => return 2,
        }
        if last(resolver.lookup("www.example.test:80")) != LookupResult::End(Ok(())) {
            return 3;
        }
        0
    }

    fn last(results: LookupStream) -> LookupResult {
        results.into_blocking_iter().last().expect("every lookup has an end")
    }
}
