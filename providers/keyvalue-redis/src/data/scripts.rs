//! Pages out and in, as scripts: each runs whole, over at most a page.

use std::sync::LazyLock;

use redis::Script;

/// What the scripts that read begin with: when a key ends, within what a number holds exactly.
const ENDS: &str = r"
local function ends(key)
  return math.min(math.max(redis.call('PEXPIRETIME', key), 0), 9007199254740991)
end
";

/// Reads of the keys, from where the first one goes on (`ARGV[1]`, of whose elements `ARGV[2]` came
/// before), about so many bytes (`ARGV[3]`), or no values at all (`ARGV[4]`). Answers how many
/// keys are done, the bytes, and rows. Long lists and sets are read in parts, so that nothing over
/// the bounds is ever put together.
pub(super) static READ: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local words = {string = true, list = true, set = true}
local rows, bytes, most, limit = {}, 0, tonumber(ARGV[3]), tonumber(ARGV[6])
local within, before, names = ARGV[1], tonumber(ARGV[2]), ARGV[4] == '1'
for place, key in ipairs(KEYS) do
  if bytes >= most then return {place - 1, bytes, rows} end
  local kind = redis.call('TYPE', key)['ok']
  if kind ~= 'none' then
    local expires = ends(key)
    local count, values, next = 1, {}, ''
    -- A name can be told whatever stands behind it.
    if names and (kind ~= 'string' and expires > 0 or not words[kind]) then
      kind, expires, count = 'other', 0, 0
    end
    bytes = bytes + 16 + #key
    if kind == 'string' then
      if not names then
        if redis.call('STRLEN', key) + 5 > limit then
          return redis.error_reply('TOOLARGE answer')
        end
        values[1] = redis.call('GET', key)
        bytes = bytes + 5 + #values[1]
      end
    elseif kind == 'other' then
      -- Nothing more is told.
    elseif expires > 0 then
      return redis.error_reply('ODDKEY something that ends and is no string')
    elseif kind == 'list' then
      count = redis.call('LLEN', key)
      local at, step = tonumber(within) or 0, 1
      while not names and at < count do
        local chunk = 0
        for _, item in ipairs(redis.call('LRANGE', key, at, at + step - 1)) do
          values[#values + 1] = item
          chunk = chunk + 5 + #item
        end
        at, bytes = at + step, bytes + chunk
        if chunk > limit then return redis.error_reply('TOOLARGE answer') end
        if at < count and bytes >= most then next = tostring(at) break end
        step = math.max(1, math.min(256, math.floor((most - bytes) * step / chunk)))
      end
    elseif kind == 'set' then
      count = redis.call('SCARD', key)
      local at, chunk = within, 0
      if at == '' then at = '0' end
      while not names do
        local found = redis.call('SSCAN', key, at, 'COUNT', 10)
        at = found[1]
        for _, member in ipairs(found[2]) do
          values[#values + 1] = member
          chunk = chunk + 5 + #member
        end
        if chunk > limit then return redis.error_reply('TOOLARGE answer') end
        if at == '0' then break end
        if bytes + chunk >= most and #values > 0 then next = at break end
      end
      bytes = bytes + chunk
    else
      return redis.error_reply('ODDKEY a ' .. kind)
    end
    if names or #values > 0 then
      rows[#rows + 1] = {place, kind, expires, count, before, next, values}
    end
    if next ~= '' then return {place - 1, bytes, rows} end
  end
  within, before = '', 0
end
return {#KEYS, bytes, rows}
",
    )
});

/// Writes pieces: of each key its kind, time, count, start and number of values, and these. All of
/// them, or none: what could fail is looked at first. The first line has Redis refuse the script at
/// its start when it takes no writes. Without it a script that removes something first may write
/// however full the memory is, since Redis does not stop in the middle of one.
pub(super) static WRITE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"#!lua
local function each(work)
  local at = 1
  for _, key in ipairs(KEYS) do
    local from = at + 5
    local number = tonumber(ARGV[at + 4])
    local failed = work(key, ARGV[at], at, from, from + number - 1)
    if failed then return failed end
    at = from + number
  end
end
local lengths, kinds = {}, {}
local wrong = each(function(key, kind, at, from, last)
  local start = tonumber(ARGV[at + 3])
  if start > 0 then
    local length = lengths[key] or redis.pcall(kind == 'list' and 'LLEN' or 'SCARD', key)
    local follows = kind == 'list' and length == start or kind == 'set' and length ~= 0
    if (kinds[key] or kind) ~= kind then follows = false end
    if type(length) == 'table' or not follows then return redis.error_reply('MISPLACED piece') end
  end
  lengths[key], kinds[key] = start + last - from + 1, kind
end)
if wrong then return wrong end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
each(function(key, kind, at, from, last)
  local start = tonumber(ARGV[at + 3])
  if start == 0 then redis.call('UNLINK', key) end
  if kind == 'string' then
    if ARGV[at + 1] == '0' then
      redis.call('SET', key, ARGV[from])
    elseif tonumber(ARGV[at + 1]) > now then
      -- Value and time at once: whatever ends this here, no key stays that was to go.
      redis.call('SET', key, ARGV[from], 'PXAT', ARGV[at + 1])
    end
  else
    local add = kind == 'list' and 'RPUSH' or 'SADD'
    for first = from, last, 500 do
      redis.call(add, key, unpack(ARGV, first, math.min(first + 499, last)))
    end
  end
end)
return 1
",
    )
});

/// The places of those pieces, written as for [`WRITE`], that are not so.
pub(super) static COMPARE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local found, at = {}, 1
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for place, key in ipairs(KEYS) do
  local kind, expires, count = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local start, number, from = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), at + 5
  at = from + number
  local held = redis.call('TYPE', key)['ok']
  local same = held == kind
  if same and kind == 'string' then
    same = redis.call('GET', key) == ARGV[from] and ends(key) == expires
  elseif same and kind == 'list' then
    same = redis.call('LLEN', key) == count
    local items = same and redis.call('LRANGE', key, start, start + number - 1) or {}
    for index = 1, same and number or 0 do
      if items[index] ~= ARGV[from + index - 1] then same = false end
    end
  elseif same and kind == 'set' then
    same = redis.call('SCARD', key) == count
    for first = from, same and at - 1 or 0, 500 do
      local members = {unpack(ARGV, first, math.min(first + 499, at - 1))}
      for _, is in ipairs(redis.call('SMISMEMBER', key, unpack(members))) do
        if is == 0 then same = false end
      end
    end
  elseif held == 'none' then
    same = expires > 0 and expires <= now
  end
  if not same and #found < 16 then found[#found + 1] = place end
end
return found
",
    )
});

fn script(text: &str) -> Script {
    Script::new(&[ENDS, text].concat())
}
