//! Whole hosts as processes, as their users see them.

mod admin_api;
mod admin_tokens;
mod archives;
mod change;
mod change_load;
mod command;
mod edits_held;
mod edits_in_trouble;
mod examples;
mod faults;
mod following;
mod forms;
mod http;
mod left_behind;
mod live_swap;
mod lost_trust;
mod metrics_page;
mod monitoring;
mod moved_data;
mod operate;
mod portable;
mod ports;
mod programs;
mod readiness;
mod redis;
mod refusals;
mod registry;
mod releases;
mod reload;
mod replay_gate;
mod rolled_back;
mod settings;
mod starting;
mod stop;
mod storage;
mod stores;
mod telemetry;
mod trust;
mod unmeant;
mod values;
mod watching;

/// A test for each scenario, with the same name.
macro_rules! scenarios {
    ($($(#[doc = $doc:literal])+ $name:ident = [$($step:expr),+ $(,)?];)+) => {
        $($(#[doc = $doc])+
        #[test]
        fn $name() {
            trellis_e2e::run([$(trellis_e2e::Step::from($step)),+]);
        })+
    };
}
pub(crate) use scenarios;
