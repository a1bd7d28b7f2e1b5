//! What one module may use: its `limits` and its `instances`.

use trellis_limits::ActorLimits;

use crate::limits::{Limits, of_instances};
use crate::report::{Problem, Problems};
use crate::shape::Instances;
use crate::spec::WrittenLimit;

/// What a module may use, and what of it is written.
pub(crate) fn module_limits(
    mut limits: ActorLimits,
    (instances, written): (Option<&Instances>, &Limits),
    problems: &mut Problems,
) -> (ActorLimits, Vec<WrittenLimit>) {
    let mut all = written.written();
    if let Some(instances) = instances {
        instances_into(&mut limits, instances, problems);
        let max = instances.max.as_ref();
        all.extend(max.and_then(|max| of_instances(*max.0, max.0.span)));
    }
    written.apply(&mut limits);
    (limits, all)
}

fn instances_into(limits: &mut ActorLimits, written: &Instances, problems: &mut Problems) {
    if let Some(max) = &written.max {
        limits.instances_max = *max.0;
        limits.queue_max = max.0.saturating_mul(2);
    }
    let Some(min) = &written.min else { return };
    limits.instances_min = *min.0;
    if limits.instances_min > limits.instances_max {
        let message = format!("`min` is {} but `max` is {}", *min.0, limits.instances_max);
        problems.push(Problem::new(min.0.span, message).help("raise `max` or lower `min`"));
    }
}
