//! A network and a mount namespace of a bench's own, where a nameserver may have port 53 and
//! resolv.conf says so: the only way to show getaddrinfo a nameserver.

use std::env;
use std::io;
use std::process::{Command, Stdio};

pub fn own_path() -> String {
    env::current_exe().expect("a path").to_str().expect("a path in UTF-8").into()
}

/// As anybody: in a user namespace one may make a network and a mount namespace.
pub fn unshared(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--mount", program]);
    command
}

pub fn can_unshare() -> bool {
    unshared("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Gives the namespace a loopback interface and a resolv.conf.
pub fn enter_namespace() -> io::Result<()> {
    let path = env::temp_dir().join(format!("outrace-bench-resolv.conf-{}", std::process::id()));
    std::fs::write(&path, "nameserver 127.0.0.1\n")?;
    let commands = [
        vec!["ip", "link", "set", "lo", "up"],
        vec!["mount", "--bind", path.to_str().expect("a path in UTF-8"), "/etc/resolv.conf"],
    ];
    for command in commands {
        let status = Command::new(command[0]).args(&command[1..]).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{}: {status}", command.join(" "))));
        }
    }
    // The mount keeps the file.
    std::fs::remove_file(&path)
}
