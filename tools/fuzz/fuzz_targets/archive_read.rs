//! Archives: no panic, and whatever is read is within its limits.
//!
//! The bytes are taken twice: as they are, and compressed, because a fuzzer does not find sums.
#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use trellis_archive::{Target, inspect, take_apart, verify};
use trellis_claims::{SystemClock, TrustList};
use trellis_limits::fixed::{ARCHIVE_PROGRAM_BYTES, ARCHIVE_PROGRAMS};

fn read(archive: &[u8]) {
    if let Ok(seen) = inspect(archive) {
        assert!((1..=ARCHIVE_PROGRAMS.default).contains(&(seen.programs.len() as u64)));
        for program in seen.programs.values() {
            assert!(program.bytes <= ARCHIVE_PROGRAM_BYTES.default);
        }
    }
    let _ = take_apart(archive);
    let nobody = TrustList::new(0);
    assert!(verify(archive, &Target::here(), &nobody, &SystemClock).is_err(), "nobody is trusted");
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory");
    read(&packed.finish().expect("memory"));
});
