//! The operations that take more than one command, as scripts: Redis runs each whole.

use std::sync::LazyLock;

use redis::Script;

/// Code of the error for a string that is not a counter.
pub(crate) const NOT_A_COUNTER: &str = "NOTACOUNTER";
/// Code of the error for a sum or a count outside 32 bits.
pub(crate) const OVERFLOW: &str = "OVERFLOW";

/// Code of the error for a list or a set, or an operation, with too many elements.
pub(crate) const TOO_MANY: &str = "TOOMANY";
/// Code of the error for an answer that is too large.
pub(crate) const TOO_LARGE: &str = "TOOLARGE";

/// Code of the error for a key that holds what the contract has no word for.
pub(crate) const ODD_KEY: &str = "ODDKEY";
/// Code of the error for a piece that does not follow the one before it.
pub(crate) const MISPLACED: &str = "MISPLACED";

/// The string a key holds; one that is too large is never read, here or at the server.
pub(crate) static GET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local length = redis.pcall('STRLEN', KEYS[1])
if type(length) == 'table' then return length end
if length + 5 > tonumber(ARGV[2]) then return redis.error_reply('TOOLARGE answer') end
return redis.call('GET', KEYS[1])
",
    )
});

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

/// Removes a list, and nothing else. It is unlinked: Redis frees a long one beside its work.
pub(crate) static CLEAR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then return length end
return redis.call('UNLINK', KEYS[1])
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
if length >= tonumber(ARGV[2]) then return redis.error_reply('TOOMANY elements') end
return redis.call('LPUSH', KEYS[1], ARGV[1])
",
    )
});

/// Takes every equal item out of a list; answers how many are left.
pub(crate) static LIST_REMOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then return length end
if length > tonumber(ARGV[2]) then return redis.error_reply('TOOMANY elements') end
return length - redis.call('LREM', KEYS[1], 0, ARGV[1])
",
    )
});

/// Adds a member to a set; answers how many it has.
pub(crate) static SET_ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local size = redis.pcall('SCARD', KEYS[1])
if type(size) == 'table' then return size end
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return size end
if size >= 2147483647 then return redis.error_reply('OVERFLOW the set is full') end
if size >= tonumber(ARGV[2]) then return redis.error_reply('TOOMANY elements') end
redis.call('SADD', KEYS[1], ARGV[1])
return size + 1
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

/// The items of a list from one position to another, both counted from either end; read in parts,
/// so that one that is too large is never put together.
pub(crate) static RANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local length = redis.pcall('LLEN', KEYS[1])
if type(length) == 'table' then return length end
local start, stop = tonumber(ARGV[1]), tonumber(ARGV[2])
if start < 0 then start = math.max(start + length, 0) end
if stop < 0 then stop = stop + length end
stop = math.min(stop, length - 1)
if stop - start >= tonumber(ARGV[3]) then return redis.error_reply('TOOMANY elements') end
local found, bytes, most = {}, 0, tonumber(ARGV[4])
for from = start, stop, 512 do
  for _, item in ipairs(redis.call('LRANGE', KEYS[1], from, math.min(from + 511, stop))) do
    bytes = bytes + 5 + #item
    if bytes > most then return redis.error_reply('TOOLARGE answer') end
    found[#found + 1] = item
  end
end
return found
",
    )
});

/// The members of several sets, by the command that is the first argument.
pub(crate) static SETS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local total, smallest = 0, nil
for _, key in ipairs(KEYS) do
  local size = redis.pcall('SCARD', key)
  if type(size) == 'table' then return size end
  total = total + size
  if not smallest or size < smallest then smallest = size end
end
local looks = total
if ARGV[1] == 'SINTER' then looks = smallest * #KEYS end
if looks > tonumber(ARGV[2]) then return redis.error_reply('TOOMANY elements') end
local found = redis.call(ARGV[1], unpack(KEYS))
local bytes, most = 0, tonumber(ARGV[3])
for _, member in ipairs(found) do
  bytes = bytes + 5 + #member
  if bytes > most then return redis.error_reply('TOOLARGE answer') end
end
return found
",
    )
});
