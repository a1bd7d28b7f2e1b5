//! Rules for Cargo.toml files: a version is set once, and lints come from the workspace.

use crate::report::Problem;

/// Every rule that this manifest breaks. A workspace's root sets the versions, so it breaks none.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    if text.lines().any(|line| line.trim() == "[workspace]") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut section = "";
    let mut before = ("", "");
    let mut lints = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("# -- ") {
            // Generated lines are sorted among themselves.
            before = ("", "");
        } else if line.starts_with('[') {
            (section, before) = (line.trim_matches(['[', ']']), ("", ""));
            lints |= section == "lints";
        } else if section.ends_with("dependencies")
            && let Some((name, value)) = line.split_once('=')
        {
            let name = name.trim().trim_end_matches(".workspace");
            let mut report =
                |message: String| problems.push(Problem::new(path, index + 1, message));
            let by_folder = value.contains("path = ") && !value.contains("version");
            if !by_folder && (!line.contains("workspace") || !value.contains("true")) {
                report(format!("`{name}` sets its own version; take it from the workspace"));
            }
            // By name or by line: editors sort `http-body-util.workspace` before `http.workspace`.
            if name < before.0 && line < before.1 {
                let (earlier, _) = before;
                report(format!("`{name}` comes after `{earlier}`: sort the dependencies"));
            }
            before = (name, line);
        }
    }
    if !lints {
        problems.push(Problem::new(path, 0, "no `[lints]` section with `workspace = true`"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        check("a/Cargo.toml", text).into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_version_of_its_own_is_refused() {
        let text = "[lints]\nworkspace = true\n[dependencies]\nbytes = \"1\"\n";
        assert!(messages(text)[0].starts_with("a/Cargo.toml:4: `bytes` sets its own version"));
        let fine = "[lints]\nworkspace = true\n[dependencies]\nbytes.workspace = true\n\
                    syn = { workspace = true, features = [\"visit\"] }\n";
        assert!(messages(fine).is_empty());
        let by_folder = "[lints]\nworkspace = true\n[dependencies]\na = { path = \"../a\" }\n";
        assert!(messages(by_folder).is_empty(), "a crate of this repository has no version");
        let both = by_folder.replace("../a\"", "../a\", version = \"1\"");
        assert_eq!(messages(&both).len(), 1);
    }

    #[test]
    fn dependencies_are_sorted_and_lints_inherited() {
        let text = "[dependencies]\nserde.workspace = true\nbytes.workspace = true\n\
                    [dev-dependencies]\nanyhow.workspace = true\n";
        assert_eq!(
            messages(text),
            [
                "a/Cargo.toml:3: `bytes` comes after `serde`: sort the dependencies",
                "a/Cargo.toml: no `[lints]` section with `workspace = true`",
            ]
        );
    }

    #[test]
    fn a_workspace_root_owns_versions() {
        assert!(messages("[workspace]\n[workspace.dependencies]\nbytes = \"1\"\n").is_empty());
    }
}
