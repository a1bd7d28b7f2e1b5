//! What a message calls a limit that was hit, so that its reader finds it in the manifest.

use crate::actor::TABLE;
use crate::host::HOST_TABLE;
use crate::limit::Limit;

/// The limit of this name, with where a manifest sets it: `call_depth_max, limits.call_depth in the
/// manifest`. One that no manifest sets is its name alone.
#[must_use]
pub fn named(name: &str) -> String {
    in_manifest(name).map_or_else(|| name.to_owned(), |place| format!("{name}, {place}"))
}

/// Where a manifest sets the limit of this name; `None` when none does.
#[must_use]
pub fn in_manifest(name: &str) -> Option<String> {
    let key = |table: &[Limit]| Some(table.iter().find(|it| it.name == name)?.key);
    let place = match (key(TABLE), key(HOST_TABLE)) {
        // The one limit that has a mapping of its own.
        (Some(key), _) if key.contains('.') => key.to_owned(),
        (Some(key), _) => format!("limits.{key}"),
        (None, Some(key)) => format!("host.{key}"),
        (None, None) => return None,
    };
    Some(format!("`{place}` in the manifest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_with_its_place() {
        for (name, told) in [
            ("call_time_ms_max", "call_time_ms_max, `limits.call_time` in the manifest"),
            ("instances_max", "instances_max, `instances.max` in the manifest"),
            ("instances_total_max", "instances_total_max, `host.instances_total` in the manifest"),
            ("module_types_max", "module_types_max"),
        ] {
            assert_eq!(named(name), told);
        }
    }
}
