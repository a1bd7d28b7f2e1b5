//! The gate: claims, binding and policy become a Permit or a typed denial.
