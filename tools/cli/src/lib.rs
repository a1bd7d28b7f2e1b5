//! The trellis command: keys, sign, inspect, verify, call, up.
