use tar::{Builder, EntryType, Header};
use trellis_core::Code;

use super::*;
use crate::write::{Form, write};

/// Entries as they are, right or wrong.
fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = Header::new_ustar();
        header.set_path(name).expect("a short name");
        header.set_size(content.len() as u64);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        tar.append(&header, *content).expect("memory");
    }
    tar.into_inner().expect("memory")
}

fn read_within(archive: &[u8], bounds: Bounds) -> Result<Programs, CallError> {
    Reader::within(archive, bounds)?.programs(|_| true)
}

fn refusal(archive: &[u8], bounds: Bounds) -> String {
    let error = read_within(archive, bounds).expect_err("it is refused");
    assert_eq!(error.code(), Code::Archive, "{error}");
    error.message().to_owned()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let target = Target::parse("a-b").expect("a platform");
    write("token", &[(target, content.to_vec())].into(), Form::Gzip).expect("memory")
}

#[test]
fn each_limit_is_named_when_it_is_exceeded() {
    let archive = packed(&[(TOKEN_ENTRY, b"token"), ("a-b.bin", b"12345"), ("c-d.bin", b"1")]);
    let free = Bounds::default();
    assert_eq!(read_within(&archive, free).expect("it is right").len(), 2);
    let bytes = archive.len() as u64;
    for (bounds, name) in [
        (Bounds { archive_bytes: bytes - 1, ..free }, "archive_bytes_max"),
        (Bounds { token_bytes: 4, ..free }, "archive_token_bytes_max is 4 bytes"),
        (Bounds { program_bytes: 4, ..free }, "archive_program_bytes_max is 4 bytes"),
        (Bounds { programs: 1, ..free }, "archive_programs_max is 1 programs"),
    ] {
        assert!(refusal(&archive, bounds).contains(name), "{name}");
    }
    let fits =
        Bounds { archive_bytes: bytes, token_bytes: 5, program_bytes: 5, programs: 2, ..free };
    assert_eq!(read_within(&archive, fits).expect("each is just enough").len(), 2);
}

#[test]
fn what_is_compressed_is_unpacked_within_its_bounds() {
    let content = vec![0; 4 << 20];
    let archive = gzip(&content);
    let free = Bounds { ratio: u64::MAX, ..Bounds::default() };
    let programs = read_within(&archive, free).expect("within no bounds");
    assert!(programs.values().all(|program| program.content.as_ref() == Some(&content)));
    let ratio = content.len() as u64 / archive.len() as u64;
    assert!(ratio > 500, "zeros are packed well");
    assert!(refusal(&archive, Bounds::default()).contains("archive_ratio_max is 100"));
    let unpacked = Bounds { unpacked_bytes: 2 << 20, ..free };
    assert!(refusal(&archive, unpacked).contains("archive_unpacked_bytes_max is 2097152"));
    // The first MiB of any is free.
    read_within(&gzip(&vec![0; 1_000_000]), Bounds::default()).expect("it is small");
}

#[test]
fn one_that_was_cut_off_is_told_by_that_and_not_by_its_ratio() {
    // Nothing that can be packed well.
    let mut state = 1_u32;
    let noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let content: Vec<u8> = std::iter::repeat_with(noise).take(4 << 20).collect();
    let archive = gzip(&content);
    assert!(read_within(&archive, Bounds::default()).is_ok());
    for part in [archive.len() - 1, archive.len() / 2, 20_000] {
        let told = refusal(&archive[..part], Bounds::default());
        assert!(told.contains("it ends too early"), "{part}: {told}");
    }
}

#[test]
fn a_size_that_is_only_claimed_sets_nothing_aside() {
    let mut archive = packed(&[(TOKEN_ENTRY, b"token"), ("a-b.bin", b"12345")]);
    let at = 1024;
    let mut header = Header::from_byte_slice(&archive[at..at + 512]).clone();
    for (size, says) in [
        (Bounds::default().program_bytes, "it ends too early"),
        (Bounds::default().program_bytes + 1, "archive_program_bytes_max"),
        (u64::MAX, "archive_program_bytes_max"),
    ] {
        header.set_size(size);
        header.set_cksum();
        archive[at..at + 512].copy_from_slice(header.as_bytes());
        assert!(refusal(&archive, Bounds::default()).contains(says), "{size}");
    }
}
