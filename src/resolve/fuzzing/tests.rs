//! The seeds, without a fuzzer: each target is played once with each of its own.

use std::path::Path;

/// Plays the seeds of one target. The published crate has none.
fn play(target: &str, check: impl Fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let Ok(seeds) = std::fs::read_dir(seeds) else { return };
    for seed in seeds {
        let path = seed.expect("a directory can be read").path();
        println!("{}", path.display());
        check(&std::fs::read(path).expect("a seed can be read"));
    }
}

#[test]
fn seeds_of_texts() {
    play("host_name", super::host_name);
    play("target", super::target);
    play("resolv_conf", super::resolv_conf);
    play("hosts", super::hosts);
    play("nsswitch", super::nsswitch);
    play("property_list", super::property_list);
}

#[test]
fn seeds_of_messages() {
    play("message", |bytes| drop(super::message(bytes)));
}

#[test]
fn seeds_of_conversations() {
    play("acceptance", super::acceptance);
    play("query_machine", super::query_machine);
}
