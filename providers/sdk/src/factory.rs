//! How a provider is described, checked and made.

use std::sync::Arc;

use trellis_core::CallError;

use crate::context::Context;
use crate::descriptor::Descriptor;
use crate::future::BoxFuture;
use crate::provider::Provider;
use crate::values::Values;
use crate::wanted::{Finding, ValueProblem, Wanted};

/// A provider being made; the error is [`trellis_core::Code::Config`] for values it cannot use.
pub type Created = BoxFuture<'static, Result<Arc<dyn Provider>, CallError>>;

/// What runs a provider.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Kind {
    /// It is a part of the host.
    #[default]
    Builtin,
    /// It is a program of its own.
    Process,
    /// It is a signed module.
    Module,
}

/// A kind of provider a host can run, known before one runs. The composition root lists those that
/// are built in.
pub trait ProviderFactory: Send + Sync + 'static {
    /// What it is and serves. Must not change.
    fn descriptor(&self) -> Descriptor;

    /// What runs the providers that it makes.
    fn kind(&self) -> Kind {
        Kind::Builtin
    }

    /// What tells this build of it from others of the same name and version: a process's program
    /// may be replaced. Empty for what is part of the host.
    fn build(&self) -> &str {
        ""
    }

    /// Everything in the values that [`create`](Self::create) or
    /// [`bind`](Provider::bind) would refuse, whatever the machine is like: each value alone, and
    /// all of them together. What the descriptor tells (unknown keys, wrong forms) may be left out.
    ///
    /// Called by a check, a start and a reload alike. Pure: it opens no file and no socket, and
    /// looks at no clock.
    fn validate(&self, wanted: &Wanted) -> Vec<ValueProblem>;

    /// What [`validate`](Self::validate) finds, for who may wait: a provider that is a program of
    /// its own is asked. The default asks nobody.
    ///
    /// # Errors
    /// Any [`CallError`]: whoever knows did not say.
    fn check<'a>(
        &'a self,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<ValueProblem>, CallError>> {
        Box::pin(async move { Ok(self.validate(wanted)) })
    }

    /// What a look at the machine finds about values that are right: what
    /// [`create`](Self::create) would refuse as things are now, and what is worth a word. For a
    /// check that no start follows, which finds out by itself. Changes nothing. The default is for
    /// a provider that looks at nothing.
    fn survey(&self, wanted: Wanted) -> BoxFuture<'static, Vec<Finding>> {
        let _ = wanted;
        Box::pin(async { Vec::new() })
    }

    /// Makes one, with the manifest's values for the provider.
    fn create(&self, context: Context, values: Values) -> Created;
}
