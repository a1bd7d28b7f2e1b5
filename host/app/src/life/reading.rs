//! From a text to what can run, and whom it trusts.

use std::sync::Arc;

use trellis_control::Step;
use trellis_entitlements::Rules;
use trellis_manifest::HostSpec;
use trellis_supervisor::Supervisor;

use super::owning::lay_anew;
use crate::edits::Overlay;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::manifest::{For, Loaded, Loader, Meant};
use crate::watch::FileWatch;

/// Reads the text and enforces whom it trusts, and who is still a user.
pub(super) async fn trust(
    loader: &Arc<Loader>,
    supervisor: &Supervisor,
    identity: &Identity,
) -> Result<Meant, Failure> {
    if let Some((trust, users)) = loader.revocations().await {
        identity.keeps_only(&users, &trust);
        supervisor.enforce(trust).await;
    }
    let written = loader.read().await?;
    identity.keeps_only(&written.users, &written.trust);
    supervisor.enforce(written.trust).await;
    written.manifest
}

/// Checks what the text names, and follows the files of that.
pub(super) async fn prepare(
    (loader, supervisor): (&Arc<Loader>, &Supervisor),
    watch: &FileWatch,
    (text, purpose): (Meant, For),
    edits: Overlay,
) -> Result<Loaded, Failure> {
    watch.follow_modules(loader.files(&text.manifest)).await;
    let mut loaded = loader.prepare(text, purpose, &edits).await?;
    lay_anew(loader, &mut loaded).await?;
    let changes = changes(supervisor, &loaded);
    Ok(Loaded { changes, ..loaded })
}

/// The steps to what was loaded from what is wanted now.
pub(super) fn changes(supervisor: &Supervisor, loaded: &Loaded) -> Vec<Step> {
    supervisor.changes(&loaded.prepared, rules(&loaded.base.manifest.host))
}

/// What the owner of a host decided for all actors.
pub(crate) const fn rules(host: &HostSpec) -> Rules {
    Rules { open_calls: host.open_calls }
}
