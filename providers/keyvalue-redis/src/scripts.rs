//! The operations that take more than one command, as scripts: Redis runs each whole.

use std::sync::LazyLock;

use redis::Script;

/// Code of the error for a string that is not a counter.
pub(crate) const NOT_A_COUNTER: &str = "NOTACOUNTER";
/// Code of the error for a sum or a count outside 32 bits.
pub(crate) const OVERFLOW: &str = "OVERFLOW";

/// Adds within 32 bits and refuses what is over, where INCRBY alone would go on to 64. INCRBY does
/// the change itself, so that the key keeps its expiry.
pub(crate) static ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then return held end
local sum = tonumber(ARGV[1])
if held then
  local plain = held == '0' or string.match(held, '^-?[1-9]%d*$')
  local number = plain and #held <= 11 and tonumber(held)
  if not number or number < -2147483648 or number > 2147483647 then
    return redis.error_reply('NOTACOUNTER the string is not a counter')
  end
  sum = sum + number
end
if sum < -2147483648 or sum > 2147483647 then
  return redis.error_reply('OVERFLOW the sum leaves 32 bits')
end
return redis.call('INCRBY', KEYS[1], ARGV[1])
",
    )
});

/// Removes a list, and nothing else.
pub(crate) static CLEAR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then return length end
return redis.call('DEL', KEYS[1])
",
    )
});

/// Puts an item at the head of a list; answers how many it has.
pub(crate) static PUSH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then return length end
if length >= 2147483647 then return redis.error_reply('OVERFLOW the list is full') end
return redis.call('LPUSH', KEYS[1], ARGV[1])
",
    )
});

/// Takes every equal item out of a list; answers how many are left.
pub(crate) static LIST_REMOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local removed = redis.pcall('LREM', KEYS[1], 0, ARGV[1])
if type(removed) == 'table' then return removed end
return redis.call('LLEN', KEYS[1])
",
    )
});

/// Adds a member to a set; answers how many it has.
pub(crate) static SET_ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local size = redis.pcall('SCARD', KEYS[1])
if type(size) == 'table' then return size end
if size >= 2147483647 then return redis.error_reply('OVERFLOW the set is full') end
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('SCARD', KEYS[1])
",
    )
});

/// Takes a member out of a set; answers how many it has left.
pub(crate) static SET_REMOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local removed = redis.pcall('SREM', KEYS[1], ARGV[1])
if type(removed) == 'table' then return removed end
return redis.call('SCARD', KEYS[1])
",
    )
});
