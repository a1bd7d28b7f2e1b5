//! The one road of a call: admit, resolve, call, record.
