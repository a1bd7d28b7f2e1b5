//! What one actor may use.

use std::time::Duration;

use trellis_core::Code;

use crate::limit::{Limit, row};

/// The limits of one actor. The caps of a whole host are another value of this type: see
/// [`ActorLimits::capped_by`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActorLimits {
    /// Largest module file, in bytes.
    pub module_bytes_max: u64,
    /// Most functions a module may define.
    pub module_functions_max: u32,
    /// Most locals one function may declare.
    pub module_locals_max: u32,
    /// Longest compilation.
    pub compile_time_max: Duration,
    /// Most memory a compilation may take, in bytes.
    pub compile_memory_bytes_max: u64,
    /// Largest linear memory of one instance, in bytes.
    pub memory_bytes_max: u64,
    /// Most elements in an instance's table.
    pub table_elements_max: u32,
    /// Longest call, host calls and sleeps included.
    pub call_time_max: Duration,
    /// Longest start of an instance, all start functions together.
    pub init_time_max: Duration,
    /// Most back-offs in a row of an actor whose instances fail when they start.
    pub start_backoffs_max: u32,
    /// Most calls nested in one another.
    pub call_depth_max: u32,
    /// Largest message in either direction, in bytes.
    pub payload_bytes_max: u32,
    /// Longest binding, namespace or operation name, in bytes.
    pub name_bytes_max: u32,
    /// Most instances at once.
    pub instances_max: u32,
    /// Instances that are kept ready when idle.
    pub instances_min: u32,
    /// Most callers waiting for an instance.
    pub queue_max: u32,
    /// Longest wait of a call for an instance, and for a thread where it computes for long.
    pub queue_time_max: Duration,
    /// Most host calls one call may make.
    pub host_calls_per_call_max: u32,
    /// Log lines per second after the burst.
    pub log_lines_per_s: u32,
    /// Log lines in one burst.
    pub log_burst_lines: u32,
    /// Longest log line, in bytes; the rest is cut.
    pub log_line_bytes_max: u32,
    /// Latest calls that are kept, for another version to answer before it serves; 0 keeps none.
    pub replay_calls_max: u32,
    /// Most memory of the calls that are kept, in bytes.
    pub replay_bytes_max: u64,
}

impl Default for ActorLimits {
    fn default() -> Self {
        Self {
            module_bytes_max: 32 << 20,
            module_functions_max: 50_000,
            module_locals_max: 50_000,
            compile_time_max: Duration::from_secs(10),
            compile_memory_bytes_max: 512 << 20,
            memory_bytes_max: 64 << 20,
            table_elements_max: 20_000,
            call_time_max: Duration::from_secs(5),
            init_time_max: Duration::from_secs(5),
            start_backoffs_max: 6,
            call_depth_max: 16,
            // An HTTP body of 16 MiB with its header around it.
            payload_bytes_max: 17 << 20,
            name_bytes_max: 256,
            instances_max: 64,
            instances_min: 0,
            queue_max: 128,
            queue_time_max: Duration::from_secs(300),
            host_calls_per_call_max: 100_000,
            log_lines_per_s: 100,
            log_burst_lines: 1_000,
            log_line_bytes_max: 8 << 10,
            replay_calls_max: 0,
            replay_bytes_max: 4 << 20,
        }
    }
}

impl ActorLimits {
    /// What an actor's manifest may ask for unless the host's owner says otherwise: generous
    /// multiples of the defaults.
    #[must_use]
    pub fn caps() -> Self {
        Self {
            module_bytes_max: 256 << 20,
            module_functions_max: 500_000,
            compile_time_max: Duration::from_secs(120),
            compile_memory_bytes_max: 4 << 30,
            memory_bytes_max: 1 << 30,
            table_elements_max: 100_000,
            call_time_max: Duration::from_secs(300),
            init_time_max: Duration::from_secs(60),
            start_backoffs_max: 1_000,
            call_depth_max: 64,
            payload_bytes_max: 128 << 20,
            instances_max: 1_000,
            instances_min: 1_000,
            queue_max: 10_000,
            host_calls_per_call_max: 10_000_000,
            log_lines_per_s: 10_000,
            log_burst_lines: 100_000,
            log_line_bytes_max: 64 << 10,
            replay_calls_max: 10_000,
            replay_bytes_max: 256 << 20,
            ..Self::default()
        }
    }

    /// These limits, none above `caps`: the host's owner has the last word, not the manifest.
    #[must_use]
    pub fn capped_by(&self, caps: &Self) -> Self {
        Self {
            module_bytes_max: self.module_bytes_max.min(caps.module_bytes_max),
            module_functions_max: self.module_functions_max.min(caps.module_functions_max),
            module_locals_max: self.module_locals_max.min(caps.module_locals_max),
            compile_time_max: self.compile_time_max.min(caps.compile_time_max),
            compile_memory_bytes_max: self
                .compile_memory_bytes_max
                .min(caps.compile_memory_bytes_max),
            memory_bytes_max: self.memory_bytes_max.min(caps.memory_bytes_max),
            table_elements_max: self.table_elements_max.min(caps.table_elements_max),
            call_time_max: self.call_time_max.min(caps.call_time_max),
            init_time_max: self.init_time_max.min(caps.init_time_max),
            start_backoffs_max: self.start_backoffs_max.min(caps.start_backoffs_max),
            call_depth_max: self.call_depth_max.min(caps.call_depth_max),
            payload_bytes_max: self.payload_bytes_max.min(caps.payload_bytes_max),
            name_bytes_max: self.name_bytes_max.min(caps.name_bytes_max),
            instances_max: self.instances_max.min(caps.instances_max),
            instances_min: self.instances_min.min(caps.instances_max).min(self.instances_max),
            queue_max: self.queue_max.min(caps.queue_max),
            queue_time_max: self.queue_time_max.min(caps.queue_time_max),
            host_calls_per_call_max: self.host_calls_per_call_max.min(caps.host_calls_per_call_max),
            log_lines_per_s: self.log_lines_per_s.min(caps.log_lines_per_s),
            log_burst_lines: self.log_burst_lines.min(caps.log_burst_lines),
            log_line_bytes_max: self.log_line_bytes_max.min(caps.log_line_bytes_max),
            replay_calls_max: self.replay_calls_max.min(caps.replay_calls_max),
            replay_bytes_max: self.replay_bytes_max.min(caps.replay_bytes_max),
        }
    }

    /// Every limit of [`TABLE`] with its value here, in its unit.
    pub fn values(&self) -> impl Iterator<Item = (&'static Limit, u64)> {
        TABLE.iter().filter_map(|limit| Some((limit, self.value(limit.name)?)))
    }

    /// The value of the limit of that name, in its unit.
    fn value(&self, name: &str) -> Option<u64> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Some(match name {
            "module_bytes_max" => self.module_bytes_max,
            "module_functions_max" => self.module_functions_max.into(),
            "module_locals_max" => self.module_locals_max.into(),
            "compile_time_ms_max" => ms(self.compile_time_max),
            "start_backoffs_max" => self.start_backoffs_max.into(),
            "compile_memory_bytes_max" => self.compile_memory_bytes_max,
            "actor_memory_bytes_max" => self.memory_bytes_max,
            "table_elements_max" => self.table_elements_max.into(),
            "call_time_ms_max" => ms(self.call_time_max),
            "init_time_ms_max" => ms(self.init_time_max),
            "call_depth_max" => self.call_depth_max.into(),
            "payload_bytes_max" => self.payload_bytes_max.into(),
            "name_bytes_max" => self.name_bytes_max.into(),
            "instances_max" => self.instances_max.into(),
            "queue_max" => self.queue_max.into(),
            "queue_time_ms_max" => ms(self.queue_time_max),
            "host_calls_per_call_max" => self.host_calls_per_call_max.into(),
            "log_lines_per_s" => self.log_lines_per_s.into(),
            "log_line_bytes_max" => self.log_line_bytes_max.into(),
            "replay_calls_max" => self.replay_calls_max.into(),
            "replay_bytes_max" => self.replay_bytes_max,
            _ => return None,
        })
    }
}

/// Every limit of one actor.
pub const TABLE: &[Limit] = &[
    row(
        ("module_bytes_max", "module_bytes"),
        (32 << 20, "bytes"),
        Some(Code::ModuleLimit),
        "refused before compiling",
    )
    .between(1, 256 << 20),
    row(
        ("module_functions_max", "module_functions"),
        (50_000, "functions"),
        Some(Code::ModuleLimit),
        "refused before compiling",
    )
    .between(1, 500_000),
    row(
        ("module_locals_max", "module_locals"),
        (50_000, "locals per function"),
        Some(Code::ModuleLimit),
        "refused before compiling",
    )
    .between(0, 50_000),
    row(
        ("compile_time_ms_max", "compile_time"),
        (10_000, "ms"),
        Some(Code::ModuleLimit),
        "the compilation is killed",
    )
    .between(100, 120_000),
    row(
        ("compile_memory_bytes_max", "compile_memory"),
        (512 << 20, "bytes"),
        Some(Code::ModuleLimit),
        "the compilation is killed",
    )
    .between(16 << 20, 4 << 30),
    row(
        ("actor_memory_bytes_max", "memory"),
        (64 << 20, "bytes"),
        Some(Code::Memory),
        "memory.grow returns -1; a module that starts larger is refused",
    )
    .between(1, 1 << 30),
    row(
        ("table_elements_max", "table_elements"),
        (20_000, "elements"),
        Some(Code::Memory),
        "table.grow returns -1; a module that starts larger is refused",
    )
    .between(0, 100_000),
    row(
        ("call_time_ms_max", "call_time"),
        (5_000, "ms"),
        Some(Code::Timeout),
        "the call is cut off and its instance is dropped",
    )
    .between(1, 300_000),
    row(
        ("init_time_ms_max", "init_time"),
        (5_000, "ms"),
        Some(Code::Timeout),
        "the start is cut off and its instance is dropped",
    )
    .between(1, 60_000),
    row(
        ("start_backoffs_max", "start_backoffs"),
        (6, "back-offs"),
        Some(Code::CrashLoop),
        "instances failed when they started, after every back-off: one a minute is tried",
    )
    .between(0, 1_000),
    row(("call_depth_max", "call_depth"), (16, "calls"), Some(Code::Depth), "the call is refused")
        .between(1, 64),
    row(
        ("payload_bytes_max", "payload_bytes"),
        (17 << 20, "bytes"),
        Some(Code::TooLarge),
        "refused before copying",
    )
    .between(1 << 10, 128 << 20),
    row(
        ("name_bytes_max", "name_bytes"),
        (256, "bytes"),
        Some(Code::BadName),
        "refused before copying",
    )
    .between(64, 256),
    row(
        ("instances_max", "instances.max"),
        (64, "instances"),
        Some(Code::Busy),
        "callers wait in the queue until their deadline",
    )
    .between(1, 1_000),
    row(("queue_max", "queue"), (128, "calls"), Some(Code::Busy), "the call is refused at once")
        .between(0, 10_000),
    row(
        ("queue_time_ms_max", "queue_time"),
        (300_000, "ms"),
        Some(Code::Busy),
        "the call is refused before it begins; the default leaves it to its deadline",
    )
    .between(1, 300_000),
    row(
        ("host_calls_per_call_max", "host_calls_per_call"),
        (100_000, "calls"),
        Some(Code::Quota),
        "the host call is refused",
    )
    .between(0, 10_000_000),
    row(
        ("log_lines_per_s", "log_lines_per_s"),
        (100, "lines/s"),
        None,
        "lines are dropped and counted (burst 1,000)",
    )
    .between(0, 10_000),
    row(
        ("log_line_bytes_max", "log_line_bytes"),
        (8 << 10, "bytes"),
        None,
        "the line is shortened and counted",
    )
    .between(64, 64 << 10),
    row(
        ("replay_calls_max", "replay_calls"),
        (0, "calls"),
        None,
        "the oldest call that was kept for the replay gate goes; 0 keeps none",
    )
    .between(0, 10_000),
    row(
        ("replay_bytes_max", "replay_bytes"),
        (4 << 20, "bytes"),
        None,
        "the oldest calls that were kept go; one that alone is more is not kept, and counted",
    )
    .between(64 << 10, 256 << 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_table_has_a_value_which_is_its_default() {
        let limits = ActorLimits::default();
        let values = limits.values().map(|(limit, value)| (limit.name, value));
        let defaults = TABLE.iter().map(|limit| (limit.name, limit.default));
        assert!(values.eq(defaults));
    }
}
