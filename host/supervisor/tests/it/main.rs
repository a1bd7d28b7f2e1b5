//! The supervisor with providers that hang, fail and fall ill: faults no real one makes on demand.

mod contested;
mod ending;
mod examined;
mod exchange;
mod given_up;
mod left_keys;
mod lifecycle;
mod making_way;
mod misbehavior;
mod mistakes;
mod order;
mod overview;
mod places;
mod provider;
mod revoked;
mod stage;
mod stopped;
mod unwell;
mod vouched;
mod waiting;
mod warned;
mod whole;
