//! The wascc:http_server contract.
