//! How reading modules and archives went, as metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A registry of how many files do not answer, and how often no file was read because of that.
pub(crate) fn registry(hung: usize, refused: u64) -> Registry {
    let files: Gauge = Gauge::default();
    files.set(i64::try_from(hung).unwrap_or(i64::MAX));
    let reads: Counter = Counter::default();
    reads.inc_by(refused);
    let mut registry = Registry::with_prefix("trellis");
    let help = "Files of modules and archives that are being read and do not answer";
    registry.register("files_hung", help, files);
    let help = "Times no module or archive was read because too many files do not answer";
    registry.register("files_refused", help, reads);
    registry
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode_registry;

    use super::*;

    #[test]
    fn both_are_shown() {
        let mut text = String::new();
        encode_registry(&mut text, &registry(3, 7)).expect("a string takes it");
        for line in ["trellis_files_hung 3", "trellis_files_refused_total 7"] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
    }
}
