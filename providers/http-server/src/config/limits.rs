//! What bounds requests, connections and the memory for bodies.

use std::time::Duration;

use trellis_providers_sdk::{ValueError, Values};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The default of `BODY_BYTES_MAX`.
const BODY_BYTES_MAX: u64 = 16 * MIB;

/// The default of `QUEUE_TIME_MAX`: nothing is refused unless somebody says when.
const QUEUE_TIME_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Bounds of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RequestLimits {
    /// Largest request body, in bytes.
    pub(crate) body_bytes_max: u64,
    /// Largest message the actor takes, in bytes: header and body together.
    pub(crate) message_bytes_max: u64,
    /// Longest wait for the actor's answer.
    pub(crate) time_max: Duration,
}

impl RequestLimits {
    /// Reads a binding's values, already laid over the provider's.
    ///
    /// # Errors
    /// Naming the first value that cannot be used.
    pub(super) fn read(values: &Values) -> Result<Self, ValueError> {
        answers_bytes_max(values)?;
        let bodies_bytes_max = bodies_bytes_max(values)?;
        let body_bytes_max = values.size("BODY_BYTES_MAX")?;
        let body_bytes_max = body_bytes_max.unwrap_or(BODY_BYTES_MAX.min(bodies_bytes_max));
        if body_bytes_max > bodies_bytes_max {
            let sentence = format!(
                "BODY_BYTES_MAX is above BODIES_BYTES_MAX ({bodies_bytes_max} bytes), which all \
                 bodies share"
            );
            let help = "lower it, or raise BODIES_BYTES_MAX under the provider's `values`";
            return Err(ValueError::new("BODY_BYTES_MAX", sentence).help(help));
        }
        Ok(Self {
            body_bytes_max,
            message_bytes_max: u64::from(u32::MAX),
            time_max: time(values, "REQUEST_TIME_MAX", 30)?,
        })
    }

    /// Whether the actor takes the largest body, with nothing around it.
    pub(crate) const fn admits_largest_body(&self) -> bool {
        self.body_bytes_max < self.message_bytes_max
    }
}

/// Bounds that hold before a request's route is known, so that they belong to the port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PortLimits {
    /// Most header fields of one request.
    pub(crate) header_count_max: usize,
    /// Longest request line and header together, in bytes.
    pub(crate) header_bytes_max: usize,
    /// Longest time from the first byte of a request to the end of its header.
    pub(crate) header_time_max: Duration,
    /// Slowest body or answer, in bytes per second, once the grace is over.
    pub(crate) transfer_rate_min: u64,
    /// How long a body or an answer may be slower than that.
    pub(crate) transfer_grace: Duration,
    /// Longest time a connection may wait for its next request.
    pub(crate) idle_time_max: Duration,
    /// Most work before a request of a worker that cannot keep up, in processor time.
    pub(crate) queue_time_max: Duration,
    /// Most open connections.
    pub(crate) connections_max: usize,
    /// The form of the access log.
    pub(crate) access_log: AccessForm,
    /// Whether the access log tells queries.
    pub(crate) access_log_query: bool,
}

/// How the access log tells of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccessForm {
    Off,
    Common,
    Json,
}

impl PortLimits {
    /// Reads a binding's values, already laid over the provider's.
    ///
    /// # Errors
    /// Naming the first value that cannot be used.
    pub(super) fn read(values: &Values) -> Result<Self, ValueError> {
        let count = values.integer("HEADER_COUNT_MAX")?;
        let bytes = values.size("HEADER_BYTES_MAX")?;
        let connections = values.integer("CONNECTIONS_MAX")?;
        Ok(Self {
            header_count_max: usize_of(bounded(count, "HEADER_COUNT_MAX", 100, 1..=1_000)?),
            header_bytes_max: usize_of(bounded(bytes, "HEADER_BYTES_MAX", 16 * KIB, KIB..=MIB)?),
            header_time_max: time(values, "HEADER_TIME_MAX", 5)?,
            transfer_rate_min: values.size("TRANSFER_RATE_MIN")?.unwrap_or(KIB),
            transfer_grace: time(values, "TRANSFER_GRACE", 5)?,
            idle_time_max: time(values, "IDLE_TIME_MAX", 60)?,
            queue_time_max: time_or(values, "QUEUE_TIME_MAX", QUEUE_TIME_MAX)?,
            connections_max: usize_of(bounded(
                connections,
                "CONNECTIONS_MAX",
                2_000,
                1..=1_000_000,
            )?),
            access_log: access_form(values.get("ACCESS_LOG"))?,
            access_log_query: values.boolean("ACCESS_LOG_QUERY")?.unwrap_or(false),
        })
    }

    /// The first value in which two bindings of one port differ, by its key.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("HEADER_COUNT_MAX", self.header_count_max == other.header_count_max),
            ("HEADER_BYTES_MAX", self.header_bytes_max == other.header_bytes_max),
            ("HEADER_TIME_MAX", self.header_time_max == other.header_time_max),
            ("TRANSFER_RATE_MIN", self.transfer_rate_min == other.transfer_rate_min),
            ("TRANSFER_GRACE", self.transfer_grace == other.transfer_grace),
            ("IDLE_TIME_MAX", self.idle_time_max == other.idle_time_max),
            ("QUEUE_TIME_MAX", self.queue_time_max == other.queue_time_max),
            ("CONNECTIONS_MAX", self.connections_max == other.connections_max),
            ("ACCESS_LOG", self.access_log == other.access_log),
            ("ACCESS_LOG_QUERY", self.access_log_query == other.access_log_query),
        ];
        pairs.into_iter().find(|(_, same)| !same).map(|(key, _)| key)
    }
}

/// Most memory for the request bodies of all connections: the provider's `BODIES_BYTES_MAX`.
///
/// # Errors
/// When it is no size, or 0.
pub(crate) fn bodies_bytes_max(values: &Values) -> Result<u64, ValueError> {
    let bytes = values.size("BODIES_BYTES_MAX")?;
    bounded(bytes, "BODIES_BYTES_MAX", 256 * MIB, 1..=u64::MAX)
}

/// Most memory for the answers of all connections: the provider's `ANSWERS_BYTES_MAX`.
///
/// # Errors
/// When it is no size, or 0.
pub(crate) fn answers_bytes_max(values: &Values) -> Result<u64, ValueError> {
    let bytes = values.size("ANSWERS_BYTES_MAX")?;
    bounded(bytes, "ANSWERS_BYTES_MAX", 256 * MIB, 1..=u64::MAX)
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The number, or the default, when it is within the bounds.
pub(super) fn bounded(
    given: Option<u64>,
    key: &'static str,
    default: u64,
    bounds: std::ops::RangeInclusive<u64>,
) -> Result<u64, ValueError> {
    let number = given.unwrap_or(default);
    if bounds.contains(&number) {
        return Ok(number);
    }
    let (min, max) = bounds.into_inner();
    Err(ValueError::new(key, format!("{key} must be from {min} to {max}")))
}

fn time(values: &Values, key: &'static str, default_s: u64) -> Result<Duration, ValueError> {
    time_or(values, key, Duration::from_secs(default_s))
}

fn time_or(values: &Values, key: &'static str, default: Duration) -> Result<Duration, ValueError> {
    let time = values.duration(key)?.unwrap_or(default);
    if time.is_zero() || time > Duration::from_secs(24 * 3_600) {
        return Err(ValueError::new(key, format!("{key} must be longer than 0 and at most 24h")));
    }
    Ok(time)
}

fn access_form(text: Option<&str>) -> Result<AccessForm, ValueError> {
    match text {
        None | Some("off") => Ok(AccessForm::Off),
        Some("common") => Ok(AccessForm::Common),
        Some("json") => Ok(AccessForm::Json),
        Some(_) => {
            Err(ValueError::new("ACCESS_LOG", "ACCESS_LOG must be one of off, common, json"))
        }
    }
}
