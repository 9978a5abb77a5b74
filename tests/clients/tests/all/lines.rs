//! How much of a program is about outrace.

use std::fs;
use std::path::Path;

/// A `use` would hide the further uses of what it imports, so a program has none.
#[test]
fn a_program_names_outrace_in_three_lines_at_most() {
    let mut programs = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.ends_with("lib.rs") {
            continue;
        }
        programs += 1;
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.contains("outrace")).collect();
        assert!((1..=3).contains(&lines.len()), "{}: {lines:#?}", path.display());
        let imported = lines.iter().any(|line| line.trim_start().starts_with("use "));
        assert!(!imported, "{}: {lines:#?}", path.display());
    }
    assert!(programs >= 16, "{programs} programs were found");
}
