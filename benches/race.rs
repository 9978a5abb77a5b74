//! The CPU that a race costs, sockets and clock left out: the state machine alone, from its first
//! address to its last output.
//!
//! `cargo bench -p outrace-benches --bench race`. Beside the times stands what is allocated: each
//! list once, and nothing after that.

use outrace_benches::races::Course;

#[global_allocator]
static ALLOC: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// One IPv6 address, and it connects: what most races are.
#[divan::bench]
fn ipv6_only(bencher: divan::Bencher) {
    let course = Course::new(1, 0, Some(0));
    bencher.bench(|| course.play());
}

/// Two addresses of each family; the first is silent, the second connects.
#[divan::bench]
fn dual_stack(bencher: divan::Bencher) {
    let course = Course::new(2, 2, Some(1));
    bencher.bench(|| course.play());
}

/// Ten endpoints: six fill what may be alive, then all fail, one after the other.
#[divan::bench]
fn ten_endpoints_to_exhaustion(bencher: divan::Bencher) {
    let course = Course::new(5, 5, None);
    bencher.bench(|| course.play());
}

/// As many addresses as one DNS response can hold.
#[divan::bench]
fn four_thousand_addresses(bencher: divan::Bencher) {
    let course = Course::new(0, 4096, None);
    bencher.bench(|| course.play());
}
