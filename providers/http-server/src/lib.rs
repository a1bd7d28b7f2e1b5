//! wascc:http_server on hyper: many actors on one port, bounded, drained.
