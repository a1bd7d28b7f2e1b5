//! The trait every provider implements.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use trellis_core::{BindingId, CallError};

use crate::address;
use crate::binding::{Binding, Newcomer};
use crate::call::{Call, Reply};
use crate::future::BoxFuture;
use crate::sample::Sample;

/// How a provider is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It works.
    Healthy,
    /// It runs, but what it depends on does not; the sentence says what.
    Degraded(String),
}

/// An address at which a provider takes work for an actor from outside the host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listening {
    /// The binding served there.
    pub binding: BindingId,
    /// The bound address, with the port the system chose when the manifest asked for port 0.
    #[serde(with = "address::one")]
    pub address: SocketAddr,
    /// What to open to reach the actor, such as `http://127.0.0.1:8081/api`.
    pub url: String,
}

/// The process of a provider that is a program of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessState {
    /// Its process id; `None` while it is being started again.
    pub id: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
}

/// An implementation of one or more contracts. What it is and serves stands in the descriptor of
/// its [`ProviderFactory`](crate::ProviderFactory).
///
/// All methods may be called at once and from any thread. None may block a thread.
pub trait Provider: Send + Sync + 'static {
    /// An actor is bound. Called before its first call, again with the same id when its values
    /// change; binding the same twice is no error.
    ///
    /// # Errors
    /// [`trellis_core::Code::Config`] for a value it cannot use, [`trellis_core::Code::Address`]
    /// for a port it cannot have. A server that is down is *not* an error here: it may come up
    /// later. The default is for a provider that serves every binding alike and keeps nothing of
    /// it.
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        let _ = binding;
        Box::pin(async { Ok(()) })
    }

    /// Several actors are bound at once, each as [`bind`](Self::bind) has it. Gives what came of
    /// each, in their order.
    ///
    /// For providers whose bindings hold what there is only one of, such as an address: what one
    /// of them gives up another may have. The same goes for those in `leaving`, which the host
    /// takes away, here or at another of its providers, whatever comes of these newcomers. Should
    /// one of them have to stay, it is bound again.
    fn bind_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> BoxFuture<'_, Vec<Result<(), CallError>>> {
        let _ = leaving;
        Box::pin(join_all(newcomers.into_iter().map(|newcomer| self.bind(newcomer.binding))))
    }

    /// Reserves what these will hold once they are bound. Nothing that is served changes: they
    /// stand in line behind whoever has it. Gives what [`bind_all`](Self::bind_all) will give for
    /// each; for one that is refused nothing is reserved.
    ///
    /// The host asks all its providers before any of them lets go of anything. So what cannot be
    /// had costs nobody what works, and what one provider gives up another one has at once. It may
    /// ask again with fewer of them. What is reserved is bound next, or given back by
    /// [`unbind_all`](Self::unbind_all). What only a try would show may be left out; the default
    /// reserves nothing and refuses nothing.
    fn reserve_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> BoxFuture<'_, Vec<Result<(), CallError>>> {
        let _ = leaving;
        Box::pin(async move { vec![Ok(()); newcomers.len()] })
    }

    /// The actor is no longer bound; no call of it is under way. Unknown ids are ignored.
    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        let _ = id;
        Box::pin(async {})
    }

    /// Several actors are no longer bound, each as [`unbind`](Self::unbind) has it.
    ///
    /// For providers whose bindings stand in for one another, as a path does for all below it: no
    /// call may go to one of them because another one has gone already.
    fn unbind_all(&self, ids: Vec<BindingId>) -> BoxFuture<'_, ()> {
        Box::pin(async move { drop(join_all(ids.into_iter().map(|id| self.unbind(id))).await) })
    }

    /// Carries out one call.
    fn call(&self, call: Call) -> BoxFuture<'_, Reply>;

    /// How it is as a whole, asked every few seconds by the supervisor as long as nothing is bound
    /// to it.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::Healthy })
    }

    /// How it is for each of these bindings, in their order: asked every few seconds about those
    /// that are in force, and before the host lets a binding take the place of another. One that it
    /// does not have depends on nothing.
    ///
    /// For providers whose bindings each depend on something of their own, such as a server that a
    /// value names. What is only tried then makes nothing else look ill, and what does not answer
    /// should hold up no other answer: the host waits two seconds for all of them. To others all
    /// bindings are alike, which the default says.
    fn health_of_each(&self, ids: Vec<BindingId>) -> BoxFuture<'_, Vec<Health>> {
        Box::pin(async move { vec![self.health().await; ids.len()] })
    }

    /// Where it takes work from outside; what the host prints once everything is bound.
    fn addresses(&self) -> Vec<Listening> {
        Vec::new()
    }

    /// What it measured so far; asked whenever somebody reads the host's metrics. The names need no
    /// prefix of the host and no label that says which provider it is.
    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }

    /// The process that it is, for those who want to look at that; `None` for a part of the host.
    /// Only the host's adapter of such a provider says more than the default.
    fn process(&self) -> Option<ProcessState> {
        None
    }

    /// Take no more work from outside than there is already: a successor serves in its place. It
    /// returns once nothing more can come; [`shutdown`](Self::shutdown) follows, to which `grace`
    /// is.
    fn leave(&self, grace: Duration) -> BoxFuture<'_, ()> {
        let _ = grace;
        Box::pin(async {})
    }

    /// Stop taking work from outside, finish what is under way, let go of everything within
    /// `grace`. One that is shutting down may be asked again, with less time: what it has is cut
    /// then.
    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, ()> {
        let _ = grace;
        Box::pin(async {})
    }
}
