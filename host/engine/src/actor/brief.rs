//! Tells instances what they have to know.

use std::sync::Arc;
use std::time::Instant;

use trellis_core::{CallError, Code, Trace};

use super::state::ActorState;
use crate::briefing::{Briefing, Notice, Occasion};
use crate::call::Call;
use crate::instance::{Ended, Instance};

impl ActorState {
    /// True when an instance has to be told something before it is called.
    #[inline]
    pub(super) fn must_brief(&self, instance: &Instance) -> bool {
        let briefing = self.context.briefing.as_deref();
        briefing.is_some_and(|briefing| instance.briefed().is_behind(briefing))
    }
}

/// Tells an instance what it does not know, one after the other. What comes up meanwhile is told
/// now as well, or before its next call.
pub(super) async fn brief(
    actor: &Arc<ActorState>,
    mut instance: Instance,
    (occasion, deadline): (Occasion, Instant),
) -> Ended {
    let Some(briefing) = actor.context.briefing.as_deref() else {
        return Ended::Returned(instance);
    };
    let edition = briefing.edition();
    while let Some(notice) = instance.briefed_mut().next((briefing, edition), occasion) {
        let call = Call {
            operation: notice.operation.clone(),
            payload: notice.payload.clone(),
            deadline,
            depth: 0,
            trace: Trace::default(),
            caller: notice.topic,
        };
        instance.begin(call, deadline);
        let telling = Telling { briefing, notice: Some(notice) };
        match instance.run().await {
            Ended::Returned(back) => {
                instance = back;
                // Whatever it passes on, it answered.
                let answered = |error: CallError| CallError::new(Code::Guest, words(&error));
                let answer = instance.answer().map(drop).map_err(answered);
                let known = telling.ends(answer);
                known.into_iter().for_each(|notice| instance.briefed_mut().heard(notice));
            }
            Ended::Failed(error) => {
                drop(telling.ends(Err(error.clone())));
                return Ended::Failed(error);
            }
            cut @ Ended::Cut(_) => return cut,
        }
    }
    Ended::Returned(instance)
}

/// A notice that an instance is being told. One that is dropped was cut, by the clock or because
/// whoever waited went away.
struct Telling<'a> {
    briefing: &'a dyn Briefing,
    /// None once its outcome is known.
    notice: Option<Notice>,
}

impl Telling<'_> {
    /// What came of it; gives the notice if the instance knows it now.
    fn ends(mut self, answer: Result<(), CallError>) -> Option<Notice> {
        let notice = self.notice.take()?;
        let knows = self.briefing.told(&notice, answer) || notice.edition.is_none();
        knows.then_some(notice)
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if let Some(notice) = &self.notice {
            let text = "the instance was cut while it was told what it has to know";
            self.briefing.told(notice, Err(CallError::new(Code::Timeout, text)));
        }
    }
}

/// What a guest said; the code of a failure that it passes on stands before it.
fn words(error: &CallError) -> String {
    match error.code() {
        Code::Guest => error.message().to_owned(),
        _ => error.to_string(),
    }
}
