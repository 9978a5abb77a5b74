#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| outrace::fuzzing::property_list(bytes));
