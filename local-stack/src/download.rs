//! The last resort: server programs from the network, kept for the next time.

use std::path::Path;

use crate::event::Progress;
use crate::pgbin::ServerBinaries;

/// Server programs for this machine; `Err(None)` when this build cannot download any.
pub(crate) async fn server(_cache: &Path, _progress: &Progress) -> Result<ServerBinaries, Option<String>> {
    Err(None)
}
