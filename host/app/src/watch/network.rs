//! File systems that change without telling.

use std::path::Path;

/// The file systems another machine can write to: no notification comes for what happens there.
/// Source: statfs(2) and linux/magic.h.
const NETWORK: &[u64] = &[
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9P
    0x6573_5546, // FUSE, virtiofs too
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x786f_4256, // VirtualBox shared folders
];

/// True for a folder that another machine may change.
pub(super) fn is_shared(folder: &Path) -> bool {
    let Ok(about) = rustix::fs::statfs(folder) else { return false };
    // The width and the sign of the field depend on the architecture; the magic has 32 bits.
    let magic = about.f_type as u64 & u64::from(u32::MAX);
    NETWORK.contains(&magic)
}
