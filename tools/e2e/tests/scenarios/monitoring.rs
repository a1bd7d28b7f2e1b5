//! The alerts and the dashboard in `docs/monitoring/` ask for what hosts show.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};
use trellis_testkit::Site;

const ALERTS: &str = include_str!("../../../../docs/monitoring/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../../docs/monitoring/dashboard.json");
const METRICS: &str = include_str!("../../../../docs/metrics.md");

/// What every series has, or every one of a provider or of a histogram.
const ALWAYS: [&str; 4] = ["job", "instance", "provider", "le"];

/// The metrics of the page, each with its labels.
fn metrics() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.strip_suffix('`')?;
        let labels = cells.nth(1)?.split(", ").map(|label| label.trim_matches('`'));
        Some((name, labels.filter(|label| !label.is_empty()).collect()))
    };
    METRICS.lines().filter_map(row).collect()
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(DASHBOARD).expect("it is JSON"), &mut found);
    found
}

/// The queries of the alerts.
fn conditions() -> Vec<String> {
    let ends = |line: &&str| !["for:", "labels:"].iter().any(|key| line.starts_with(key));
    let condition = |text: &str| text.lines().map(str::trim).take_while(ends).collect::<String>();
    ALERTS.split("expr: ").skip(1).map(condition).collect()
}

/// The names in a list such as `job="x", state!="y"` or `job, le`.
fn names(list: &str) -> impl Iterator<Item = &str> {
    let name = |item: &str| item.find(['=', '!']).unwrap_or(item.len());
    list.split(',').map(move |item| item[..name(item)].trim()).filter(|name| !name.is_empty())
}

/// What is wrong with a query: every metric in it is one of the page, and what it is selected and
/// grouped by is a label that it has.
fn faults(query: &str) -> Vec<String> {
    let (metrics, mut faults, mut all) = (metrics(), Vec::new(), BTreeSet::from(ALWAYS));
    for rest in query.split("trellis_").skip(1) {
        let ends = rest.find(|c: char| c != '_' && !c.is_ascii_lowercase());
        let (name, rest) = rest.split_at(ends.unwrap_or(rest.len()));
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
        let labels = metrics.get(name).or_else(|| metrics.get(base?));
        let Some(labels) = labels else {
            faults.push(format!("{name} is no metric"));
            continue;
        };
        let selected = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        let has = |label: &&str| labels.contains(label) || ALWAYS.contains(label);
        let unknown = names(selected.unwrap_or("")).filter(|label| !has(label));
        faults.extend(unknown.map(|label| format!("{name} has no label {label}")));
        all.extend(labels);
    }
    for list in query.split("by (").skip(1).filter_map(|rest| rest.split(')').next()) {
        let unknown = names(list).filter(|label| !all.contains(label));
        faults.extend(unknown.map(|label| format!("nothing has a label {label}")));
    }
    faults
}

#[test]
fn alerts_and_dashboard_ask_for_what_there_is() {
    let (conditions, queries) = (conditions(), queries());
    assert_eq!(conditions.len(), ALERTS.matches("- alert: ").count());
    assert!(queries.len() > 30, "the dashboard is empty");
    for query in conditions.iter().chain(&queries) {
        assert_eq!(faults(query), [""; 0], "{query}");
    }
}

#[test]
fn what_does_not_exist_is_seen() {
    assert_eq!(faults("trellis_degraded{job=\"a\"}"), [""; 0]);
    assert_eq!(faults("trellis_degrade"), ["degrade is no metric"]);
    assert_eq!(faults("trellis_degraded{actor=\"a\"}"), ["degraded has no label actor"]);
    assert_eq!(faults("sum by (le, cap) (trellis_instances)"), ["nothing has a label cap"]);
    assert_eq!(faults("rate(trellis_call_duration_seconds_bucket{target=\"a\"}[5m])"), [""; 0]);
}

/// Each query of the dashboard is one that Prometheus understands.
#[test]
fn prometheus_understands_the_dashboard() {
    let rule = |(number, query): (usize, &String)| {
        let query = query.replace("$__rate_interval", "5m");
        json!({"record": format!("dashboard:query_{number}"), "expr": query})
    };
    let rules: Vec<_> = queries().iter().enumerate().map(rule).collect();
    let file = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let site = Site::new();
    // JSON is YAML.
    site.put("rules.yaml", file.to_string());
    let mut promtool = Command::new("promtool");
    let checked = promtool.args(["check", "rules"]).arg(site.path("rules.yaml")).output();
    let checked = checked.expect("promtool is there: `tools/setup.sh` installs it");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
