//! Whoever keeps something is asked for it, page by page.

use bytes::Bytes;
use trellis_core::wire::Blob;
use trellis_core::{BindingId, CallError, OperationSpec};
use trellis_providers_sdk::data::{ExportData, ExportDataRequest, Page, Piece};

use crate::border::Instance;

/// About how many bytes go in one page: few enough for a frame of a process, with one element more.
pub(crate) const PAGE_BYTES: u32 = 1 << 20;

/// Whoever is asked for what it keeps.
pub(crate) trait Keeper: Sync {
    /// What it is called in errors.
    fn name(&self) -> String;

    /// Carries out one operation over a binding.
    fn ask(
        &self,
        binding: BindingId,
        operation: &'static str,
        payload: Vec<u8>,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send;
}

/// Asks for one operation.
pub(crate) async fn ask<O: OperationSpec>(
    keeper: &impl Keeper,
    binding: BindingId,
    request: &O::Input,
) -> Result<O::Output, CallError> {
    let reply = keeper.ask(binding, O::NAME, O::encode_input(request)).await?;
    O::decode_output(&reply)
}

/// All that a binding sees, on its way out.
pub(crate) struct Pages<'a, K> {
    keeper: &'a K,
    binding: BindingId,
    /// These alone; all of them without any.
    keys: Vec<Blob>,
    names_only: bool,
    bytes_max: u32,
    /// Where it goes on; none at the end.
    cursor: Option<String>,
}

impl<'a, K: Keeper> Pages<'a, K> {
    /// Keys with what they hold.
    pub(super) fn of(keeper: &'a K, binding: BindingId) -> Self {
        let cursor = Some(String::new());
        let (keys, names_only, bytes_max) = (Vec::new(), false, PAGE_BYTES);
        Self { keeper, binding, keys, names_only, bytes_max, cursor }
    }

    /// Keys alone.
    pub(super) fn of_names(keeper: &'a K, binding: BindingId) -> Self {
        Self { names_only: true, ..Self::of(keeper, binding) }
    }

    /// Those of these keys that are there.
    pub(crate) fn of_these(keeper: &'a K, binding: BindingId, keys: Vec<Blob>) -> Self {
        Self { keys, ..Self::of_names(keeper, binding) }
    }

    /// The next pieces, one at least; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Piece>>, CallError> {
        while let Some(cursor) = self.cursor.take() {
            let (names_only, bytes_max) = (self.names_only, self.bytes_max);
            let keys = self.keys.clone();
            let request = ExportDataRequest { cursor, keys, names_only, bytes_max };
            let page = ask::<ExportData>(self.keeper, self.binding, &request).await?;
            let Page { pieces, next } = page;
            self.cursor = Some(next).filter(|next| !next.is_empty());
            if !pieces.is_empty() {
                return Ok(Some(pieces));
            }
        }
        Ok(None)
    }
}

/// Whether a store holds any key of a binding.
pub(crate) async fn holds(keeper: &impl Keeper, binding: BindingId) -> Result<bool, CallError> {
    let mut names = Pages { bytes_max: 1, ..Pages::of_names(keeper, binding) };
    Ok(names.next().await?.is_some())
}

impl Keeper for Instance {
    fn name(&self) -> String {
        Instance::name(self).to_string()
    }

    async fn ask(
        &self,
        binding: BindingId,
        operation: &'static str,
        payload: Vec<u8>,
    ) -> Result<Bytes, CallError> {
        self.data((binding, operation), payload.into()).await
    }
}
