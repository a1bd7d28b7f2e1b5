//! Edits: what the owner of a host wants other than the manifest says, while it runs.
//!
//! What is wanted is the manifest with the edits laid over it ([`overlay`]), prepared and applied
//! as any manifest: nothing below knows of edits. There is one edit of each actor and each provider
//! at most: all that is other about it ([`version`]). An edit ends when the manifest's own entry
//! becomes another one, when it is rolled back, and when the host ends. One that does worse than
//! what it replaced is taken back ([`watch()`]). The [`book`] has what is in force, and what
//! changed.
//!
//! **Deliberately absent:** files of its own. An edit is no second manifest: a restart forgets it.

mod base;
mod besides;
mod binding;
mod book;
mod copies;
mod desk;
mod draft;
mod ended;
mod history;
mod in_force;
mod meant;
mod next;
mod notes;
mod overlay;
mod provider;
mod size;
mod subject;
mod taken_back;
mod terms;
mod verbs;
mod version;
mod watch;
mod words;

pub(crate) use base::Base;
pub(crate) use copies::{kept, kept_part};
pub(crate) use desk::{Asked, Edits, Order, Orders};
pub(crate) use draft::draft;
pub(crate) use ended::{Ended, fitting_over};
pub(crate) use history::Change;
pub(crate) use in_force::InForce;
pub(crate) use next::{Drafted, New, Next};
pub(crate) use notes::{check_data, of_data, untried, untried_so_far};
pub(crate) use overlay::{Laid, Overlay};
pub(crate) use subject::Subject;
pub(crate) use taken_back::{TakenBack, WayBack};
pub(crate) use terms::check_terms;
pub(crate) use version::{Entry, Version};
pub(crate) use watch::{Judged, Terms, Verdict, watch};
