//! wascc:keyvalue on a real Redis.
