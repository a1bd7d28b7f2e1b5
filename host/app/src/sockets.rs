//! Where admin sockets are, for those who make them and those who look for them.

use std::path::{Path, PathBuf};

/// Longest path of a Unix socket, in bytes. Source: unix(7).
pub(crate) const PATH_BYTES_MAX: usize = 107;
/// How the name of every such socket ends.
pub(crate) const EXTENSION: &str = "sock";
/// Most letters of a host's name in the name of its socket.
const NAME_CHARS_MAX: usize = 32;
/// What stands for a host whose name has no letter that a file may have.
const NAMELESS: &str = "host";

/// The folder of the sockets, in place of the usual ones.
const FOLDER_VARIABLE: &str = "TRELLIS_RUNTIME_DIR";

/// The folders of the user's sockets, the usual one first: `trellis` in `$XDG_RUNTIME_DIR`, if that
/// is set, and `/tmp/trellis-UID`. A host that a service manager starts may not have the variable
/// of a terminal, so who looks for hosts looks in both. `$TRELLIS_RUNTIME_DIR` is the only one
/// where it is set: so hosts can be kept apart that one user runs.
pub(crate) fn folders() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = rustix::process::geteuid().as_raw();
    folders_of(set(FOLDER_VARIABLE), set("XDG_RUNTIME_DIR"), user)
}

fn folders_of(only: Option<PathBuf>, runtime: Option<PathBuf>, user: u32) -> Vec<PathBuf> {
    if let Some(only) = only {
        return vec![only];
    }
    // A relative path is no such folder, says the XDG Base Directory Specification.
    let runtime = runtime.filter(|folder| folder.is_absolute());
    let runtime = runtime.map(|folder| folder.join("trellis"));
    runtime.into_iter().chain([PathBuf::from(format!("/tmp/trellis-{user}"))]).collect()
}

/// The name of a host's socket in such a folder.
pub(crate) fn file_name(host: &str, pid: u32) -> String {
    format!("{}-{pid}.{EXTENSION}", plain(host))
}

/// Whether a socket whose file is called so, without its extension, may be that of the host that is
/// called `wanted`, or `wanted` without the process id at its end.
pub(crate) fn may_be_of(stem: &str, wanted: &str) -> bool {
    let is = |wanted: &str, pid: &str| {
        let of = stem.rsplit_once('-').filter(|(name, _)| *name == plain(wanted));
        of.is_some_and(|(_, found)| pid.is_empty() || pid == found)
    };
    is(wanted, "") || wanted.rsplit_once('-').is_some_and(|(name, pid)| is(name, pid))
}

/// The letters of a host's name that a file may have.
fn plain(host: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = host.chars().filter(|c| plain(*c)).take(NAME_CHARS_MAX).collect();
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}

/// True for a path that a socket can have.
pub(crate) fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= PATH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_in_the_runtime_folder_or_in_one_of_the_user() {
        let folders = |only: Option<&str>, runtime: Option<&str>| {
            folders_of(only.map(PathBuf::from), runtime.map(PathBuf::from), 7)
        };
        let own = PathBuf::from("/tmp/trellis-7");
        for none in [None, Some("run")] {
            assert_eq!(folders(None, none).as_slice(), std::slice::from_ref(&own));
        }
        assert_eq!(folders(None, Some("/run/user/7")), [PathBuf::from("/run/user/7/trellis"), own]);
        // Whoever names one means no other.
        for only in ["/only", "only"] {
            assert_eq!(folders(Some(only), Some("/run/user/7")), [PathBuf::from(only)]);
        }
    }

    #[test]
    fn a_socket_may_be_that_of_a_name_with_its_process_or_without() {
        for (stem, wanted, may_be) in [
            ("shop-7", "shop", true),
            ("shop-7", "shop-7", true),
            ("shop-7", "shop-8", false),
            ("shop-7", "sho", false),
            // A host that is called `shop-7`.
            ("shop-7-9", "shop-7", true),
            ("shop-7-9", "shop", false),
            ("etcx-9", "etc/x", true),
            ("host-9", "é", true),
            ("other", "other", false),
        ] {
            assert_eq!(may_be_of(stem, wanted), may_be, "{stem} for {wanted}");
        }
    }

    #[test]
    fn a_name_of_any_kind_becomes_a_file_name() {
        for (host, file) in [
            ("shop", "shop-9.sock"),
            ("../../etc/x y", "etcxy-9.sock"),
            ("é", "host-9.sock"),
            ("", "host-9.sock"),
        ] {
            assert_eq!(file_name(host, 9), file);
        }
        assert_eq!(file_name(&"a".repeat(300), 9).len(), NAME_CHARS_MAX + "-9.sock".len());
    }
}
