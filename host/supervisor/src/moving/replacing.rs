//! Where the target holds something that may go: nothing of it goes before all that follows it is
//! there, and nothing is touched for what could have been known before.

use std::collections::BTreeSet;

use trellis_core::{CallError, Code};
use trellis_providers_sdk::data::{DescribeData, ImportData, ImportDataRequest, Piece};

use super::keyspaces::{Names, Other, Pair, meeting};
use super::pages::{Keeper, Pages, ask};
use super::{Way, bytes_of, too_much};

impl<F: Keeper, T: Keeper> Way<F, T> {
    /// Makes sure, as far as it can be known, that what the target holds can be replaced: it is
    /// nobody else's, the target takes what is written, and the source can be read to its end.
    pub(super) async fn may_replace(
        &self,
        (pairs, others): (&[Pair], &[Other<T>]),
        bytes_max: u64,
    ) -> Result<(), CallError> {
        if let Some(pair) = pairs.iter().find(|pair| pair.held && !pair.removable) {
            return Err(everybodys(pair));
        }
        for other in others {
            let (keeper, space) = (&other.keeper, &other.space);
            let about = ask::<DescribeData>(keeper, space.binding, &()).await;
            let names = Names::from(about.map_err(|error| unknown(other, &error))?);
            if let Some(pair) = meeting(pairs, &names) {
                return Err(anothers(pair, other));
            }
        }
        self.takes_more(pairs, "takes no more, so nothing was touched there").await?;
        let mut bytes = 0;
        for pair in pairs {
            let mut pages = Pages::of(&self.from, pair.space.binding);
            while let Some(pieces) = pages.next().await? {
                bytes += pieces.iter().map(bytes_of).sum::<u64>();
                if bytes > bytes_max {
                    return Err(too_much(bytes_max));
                }
            }
        }
        Ok(())
    }

    /// Throws away what only the target has, now that everything else is there; gives how many
    /// keys that were.
    pub(super) async fn throw_rest_away(&self, pairs: &[Pair]) -> Result<u64, CallError> {
        let mut gone = 0;
        for pair in pairs.iter().filter(|pair| pair.held) {
            let binding = pair.space.binding;
            let mut names = Pages::of_names(&self.to, binding);
            while let Some(there) = names.next().await? {
                let mut rest: BTreeSet<_> = there.into_iter().map(|piece| piece.key).collect();
                let keys = rest.iter().cloned().collect();
                let mut here = Pages::of_these(&self.from, binding, keys);
                while let Some(found) = here.next().await? {
                    for piece in found {
                        rest.remove(&piece.key);
                    }
                }
                if rest.is_empty() {
                    continue;
                }
                gone += rest.len() as u64;
                let pieces = rest.into_iter().map(Piece::of_nothing).collect();
                ask::<ImportData>(&self.to, binding, &ImportDataRequest { pieces }).await?;
            }
        }
        Ok(gone)
    }
}

fn everybodys(pair: &Pair) -> CallError {
    let text = format!(
        "the keys of {} there are those of all users of that store, because of SHARED without a \
         PREFIX, so none of them is thrown away: give it a PREFIX, or empty the store yourself",
        pair.space.actor
    );
    CallError::new(Code::Data, text)
}

fn anothers<K: Keeper>(pair: &Pair, other: &Other<K>) -> CallError {
    let (actor, provider) = (&other.space.actor, other.keeper.name());
    let text = format!(
        "the keys of {} there are also those of {actor} at provider {provider}, which runs, so \
         none of them is thrown away: give the new one another PREFIX or NAMESPACE, or another \
         database or server",
        pair.space.actor
    );
    CallError::new(Code::Data, text)
}

/// Nobody's keys are thrown away because somebody does not answer.
fn unknown<K: Keeper>(other: &Other<K>, error: &CallError) -> CallError {
    let text = format!(
        "whether provider {} keeps keys where some are to be thrown away cannot be found out: {}",
        other.keeper.name(),
        error.message()
    );
    CallError::new(error.code(), text)
}
