//! What somebody has to know who changes what is wanted by hand: what would change, whether that is
//! right, and how what took over fares.

use std::time::Duration;

use trellis_control::{ComponentKind, Step};
use trellis_core::{CallError, Code, Contract};
use trellis_dispatch::Tally;
use trellis_engine::Stats;
use trellis_entitlements::Rules;
use trellis_providers_sdk::Kind;

use crate::desired::{Barred, Wanted};
use crate::plan::{dry_run, plan};
use crate::prepare::{Part, Prepared};
use crate::release::Release;
use crate::supervisor::Supervisor;

/// What the owner of a host allows a new version beyond what is always right.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Allowances {
    /// Another key, or an older revision.
    pub another: bool,
    /// More capabilities than the version before has.
    pub more: bool,
}

impl Supervisor {
    /// The steps from what is wanted now to what this manifest wants: empty when it wants the same,
    /// whatever of that runs.
    #[must_use]
    pub fn changes(&self, prepared: &Prepared, rules: Rules) -> Vec<Step> {
        let Some(now) = self.shared.wanted.load_full() else { return dry_run(prepared, rules) };
        let barred = Barred::default();
        let wanted = Wanted { prepared, barred: &barred, rules };
        plan(wanted, &now.wanted(&barred).inventory())
    }

    /// What runs under this name, where what is `wanted` could not be had so far: that is nothing
    /// to go back to.
    #[must_use]
    pub fn running_instead(&self, subject: (ComponentKind, &str), wanted: &Part) -> Option<Part> {
        let (kind, name) = subject;
        if self.is_had(subject) {
            return None;
        }
        self.shared.look(|actual| {
            let running = match kind {
                ComponentKind::Actor => Part::of_actor(&actual.actors.get(name)?.prepared),
                ComponentKind::Provider => Part::of_provider(&actual.providers.get(name)?.prepared),
            };
            running.stands_in_for(wanted).then_some(running)
        })
    }

    /// True unless what is wanted under this name was tried in vain.
    fn is_had(&self, (kind, name): (ComponentKind, &str)) -> bool {
        let what = format!("{kind} {name}");
        !self.status().state.degraded.iter().any(|row| row.what == what)
    }

    /// Whether what this manifest wants under a name may follow what is wanted under it now, or
    /// what runs instead: the same thing, not older, with no more rights.
    ///
    /// # Errors
    /// [`Code::ActorKey`], [`Code::Revision`], or [`Code::Denied`] for more rights; each unless it
    /// is allowed.
    pub fn check_follows(
        &self,
        prepared: &Prepared,
        subject: (ComponentKind, &str),
        allows: Allowances,
    ) -> Result<(), CallError> {
        let running = match self.is_had(subject) {
            true => None,
            // What never ran says nothing of what follows.
            false => self.shared.look(|actual| Release::running(actual, subject)),
        };
        let former = running.unwrap_or_else(|| {
            let wanted = self.shared.wanted.load_full();
            wanted.and_then(|wanted| Release::of(&wanted.prepared, subject))
        });
        let Some(new) = Release::of(prepared, subject) else {
            return check_unsigned(prepared, (former.is_some(), subject), allows);
        };
        if let Some(former) = former.as_ref().filter(|_| !allows.another) {
            new.check_follows(former, subject)?;
        }
        let providers = prepared.providers.iter();
        let contracts: Vec<Contract> =
            providers.flat_map(|it| it.descriptor.contracts.iter().cloned()).collect();
        let gains = new.gains(former.as_ref(), &contracts);
        if gains.is_empty() || allows.more {
            return Ok(());
        }
        let (kind, name) = subject;
        let gains = gains.join(", ");
        let text =
            format!("the new version of {kind} {name} may do more than the one before: {gains}");
        Err(CallError::new(Code::Denied, text))
    }

    /// How the calls of what has this name went since it took over; `None` when nothing has it.
    /// Waits for no change, only for one edit of what runs.
    #[must_use]
    pub fn tally(&self, (kind, name): (ComponentKind, &str)) -> Option<Tally> {
        self.shared.look(|actual| match kind {
            ComponentKind::Actor => actual.actors.get(name).map(|actor| actor.route.tally()),
            ComponentKind::Provider => actual.providers.get(name)?.calls.tally(),
        })
    }

    /// How long calls may still take that are under way to what has this name, or of a provider to
    /// an actor that is bound to it; `None` when there is none. Waits for no change, only for one
    /// edit of what runs.
    #[must_use]
    pub fn busy_for(&self, (kind, name): (ComponentKind, &str)) -> Option<Duration> {
        let callers = self.shared.look(|actual| match kind {
            ComponentKind::Actor => {
                actual.actors.get(name).map(|it| it.engine.clone()).into_iter().collect()
            }
            ComponentKind::Provider => actual.callers_of(name),
        });
        // Asked while nothing is locked.
        let busy = callers.iter().filter(|actor| {
            let Stats { instances, idle, waiting, .. } = actor.stats();
            waiting > 0 || instances > idle
        });
        busy.map(|actor| actor.limits().call_time_max).max()
    }
}

/// Nobody vouches for a program without an archive, and no sandbox holds it.
fn check_unsigned(
    prepared: &Prepared,
    (was_signed, (kind, name)): (bool, (ComponentKind, &str)),
    allows: Allowances,
) -> Result<(), CallError> {
    let provider = prepared.providers.iter().find(|it| *it.name == *name);
    let is_program = kind == ComponentKind::Provider
        && provider.is_some_and(|it| it.factory.kind() == Kind::Process);
    if !was_signed || !is_program || allows.more {
        return Ok(());
    }
    let text = format!(
        "{kind} {name} would become a program that nobody signed, in the place of what somebody did"
    );
    Err(CallError::new(Code::Denied, text))
}
