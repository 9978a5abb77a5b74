//! A copy of the test's own process, for what a test cannot do to itself.

use std::process::{Command, Stdio};

/// A command that runs the test of that name, alone, in a process of its own; none where the system
/// cannot start this program, as when an emulator runs it.
pub fn copy_of_this_process(test: &str) -> Option<Command> {
    let program = std::env::current_exe().unwrap();
    let list = Command::new(&program).arg("--list").stdout(Stdio::null()).status();
    if !list.is_ok_and(|status| status.success()) {
        println!("skipped: no copy of this process can be started");
        return None;
    }
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture"]);
    Some(command)
}
