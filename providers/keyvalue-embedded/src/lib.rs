//! wascc:keyvalue in the host itself: a crash-safe file or memory, nothing to install.
