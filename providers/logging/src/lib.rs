//! wascc:logging to the host's own structured log.
