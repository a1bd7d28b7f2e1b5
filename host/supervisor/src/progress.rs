//! How far the change under way has come, for people.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use trellis_control::{Changing, Step};

/// A change that takes longer than this is told: once in the log, and to whoever asks.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// How far the change under way has come.
#[derive(Default)]
pub(crate) struct Progress(Mutex<UnderWay>);

#[derive(Default)]
struct UnderWay {
    /// Since when something is wanted that is not there yet; `None` when no change is under way.
    since: Option<Instant>,
    awaited: Awaited,
    /// What the log was told of and did not come since.
    told: Awaited,
}

/// What a change waits for, by names of the manifest.
#[derive(Clone, Default)]
pub(crate) struct Awaited {
    /// Until they are compiled and started.
    actors: BTreeSet<String>,
    /// Until they have answered.
    providers: BTreeSet<String>,
}

impl Progress {
    /// A change begins, perhaps in the place of one that made way for it.
    pub(crate) fn begin(&self) {
        self.0.lock().since.get_or_insert_with(Instant::now);
    }

    /// From now on the change waits for these, and for nothing else.
    pub(crate) fn waits_for(&self, awaited: Awaited) {
        self.0.lock().awaited = awaited;
    }

    /// What a step wants is there, or could not be had.
    pub(crate) fn came(&self, step: &Step) {
        self.0.lock().awaited.remove(step);
    }

    /// The change ended and nothing takes its place; `well` when it brought everything.
    pub(crate) fn end(&self, well: bool) {
        let mut under_way = self.0.lock();
        let told = std::mem::take(&mut under_way.told);
        *under_way = UnderWay::default();
        if !well {
            under_way.told = told;
        }
    }

    /// How long the change under way takes so far; zero when there is none.
    pub(crate) fn taken(&self) -> Duration {
        self.0.lock().taken()
    }

    /// What it waits for, as a status names it (`actor counter`).
    pub(crate) fn awaited(&self) -> Vec<String> {
        let awaited = self.0.lock().awaited.clone();
        let actors = awaited.actors.iter().map(|name| format!("actor {name}"));
        actors.chain(awaited.providers.iter().map(|name| format!("provider {name}"))).collect()
    }

    /// What it waits for, once it takes long.
    pub(crate) fn slow(&self, now_unix_s: u64) -> Option<Changing> {
        self.0.lock().slow(now_unix_s)
    }

    /// The same, unless the log was told of it before: the tries of what could not be had are
    /// changes too, each as slow as the one before.
    pub(crate) fn becomes_slow(&self, now_unix_s: u64) -> Option<Changing> {
        let mut under_way = self.0.lock();
        let changing = under_way.slow(now_unix_s)?;
        let UnderWay { awaited, told, .. } = &mut *under_way;
        let news = !awaited.actors.is_subset(&told.actors)
            || !awaited.providers.is_subset(&told.providers);
        told.actors.extend(awaited.actors.iter().cloned());
        told.providers.extend(awaited.providers.iter().cloned());
        news.then_some(changing)
    }
}

impl UnderWay {
    fn taken(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn slow(&self, now_unix_s: u64) -> Option<Changing> {
        let taken = self.taken();
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect();
        (taken > SLOW_AFTER).then(|| Changing {
            since_unix_s: now_unix_s.saturating_sub(taken.as_secs()),
            actors: names(&self.awaited.actors),
            providers: names(&self.awaited.providers),
        })
    }
}

impl Awaited {
    /// What these steps want, as far as it has to be made.
    pub(crate) fn of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Self {
        let mut awaited = Self::default();
        for step in steps {
            match step {
                Step::StartActor { actor, .. } | Step::ReplaceActor { actor, .. } => {
                    awaited.actors.insert(actor.clone());
                }
                Step::StartProvider { provider, .. } | Step::ReplaceProvider { provider, .. } => {
                    awaited.providers.insert(provider.clone());
                }
                _ => {}
            }
        }
        awaited
    }

    /// The answers of these providers.
    pub(crate) fn of_providers<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let providers = names.into_iter().map(str::to_owned).collect();
        Self { providers, ..Self::default() }
    }

    fn remove(&mut self, step: &Step) {
        match step {
            Step::StartActor { actor, .. } | Step::ReplaceActor { actor, .. } => {
                self.actors.remove(actor);
            }
            Step::StartProvider { provider, .. } | Step::ReplaceProvider { provider, .. } => {
                self.providers.remove(provider);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(actor: &str) -> Step {
        Step::StartActor { actor: actor.to_owned(), key: String::new(), loses: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_is_told_once_of_the_same() {
        let progress = Progress::default();
        let slow = || progress.becomes_slow(100).map(|changing| changing.actors);
        progress.begin();
        progress.waits_for(Awaited::of(&[start("one"), start("two")]));
        assert_eq!((slow(), progress.slow(100)), (None, None), "it has just begun");
        tokio::time::advance(2 * SLOW_AFTER).await;
        assert_eq!(slow(), Some(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(slow(), None, "the log knows");
        progress.came(&start("one"));
        let changing = progress.slow(100).expect("whoever asks is told");
        assert_eq!((changing.since_unix_s, changing.actors), (90, vec!["two".to_owned()]));

        // One makes way for another, which wants something else besides.
        progress.begin();
        progress.waits_for(Awaited::of(&[start("two"), start("three")]));
        assert_eq!(slow(), Some(vec!["three".to_owned(), "two".to_owned()]));
        progress.end(false);
        assert_eq!((progress.taken(), progress.slow(100)), (Duration::ZERO, None));

        progress.begin();
        progress.waits_for(Awaited::of(&[start("two")]));
        tokio::time::advance(2 * SLOW_AFTER).await;
        assert_eq!(slow(), None, "it is tried again, and the log knows");
        progress.end(true);
        progress.begin();
        progress.waits_for(Awaited::of(&[start("two")]));
        tokio::time::advance(2 * SLOW_AFTER).await;
        assert_eq!(slow(), Some(vec!["two".to_owned()]), "it came in between");
    }
}
