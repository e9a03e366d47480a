"""Lua scripts, each of which Redis runs as one atomic step. They are called by their digests.

Every script first compares the version in the store's own key, and returns NO_STORE if it is missing or another one.
Scripts compare and write; what may be written is decided in Python, which reads again if a comparison fails. Redis
undoes nothing if a script fails half-way. So the first write of each is one that Redis refuses if its memory is full;
after it, none is refused. Lua has doubles only, exact to 2**53 microseconds (the year 2255): positions are text.
"""

from __future__ import annotations

from hashlib import sha1

from ...cutoffs import SPARES
from ...model import EVICTION, LOG_KEEP_SECONDS
from ..records import BLANK_VERIFIERS

VERSION = b"3"
NO_STORE, NO_COPY = -1, -2

# By digest.
TEXTS: dict[str, str] = {}


def named(text: str) -> str:
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
    TEXTS[digest] = text
    return digest


# The beginning of each change. Its keys are these and any others that it needs, all in one slot.
# ``origin`` is the store of which this one must be a copy, or empty: after such a change it is a copy of none.
# ``fence`` is a write for WAIT. An append removes at most 500 old events.
# OF_ALL is an expiry of 0, with which no token's key begins.
CHANGE = (
    f"local KEEP, OF_ALL, EVICTION = {LOG_KEEP_SECONDS}, string.char(0, 0, 0, 0), '{EVICTION.decode()}'\n"
    f"local SPARES = string.char({', '.join(map(str, SPARES))})"
    + """
local STORE, LOG, DUE, REVOKED, CLIENTS = unpack(KEYS, 1, 5)
local version, time, fence, origin = unpack(ARGV, 1, 4)
local store = redis.call('HMGET', STORE, 'version', 'position', 'floor', 'origin')
if store[1] ~= version then return -1 end
if redis.replicate_commands then redis.replicate_commands() end
if fence == '1' then redis.call('HINCRBY', STORE, 'fence', 1) end
if origin ~= '' and store[4] ~= origin then return -2 end
if time == '' then
  local now = redis.call('TIME')
  time = string.format('%013.0f%06.0f', now[1], now[2])
end

-- What each change calls before it writes anything else.
local function begin() redis.call('HSET', STORE, 'origin', origin) end

local function client(id) return string.gsub(STORE, 'store$', 'client:') .. id end

local function uses(id) return string.gsub(STORE, 'store$', 'uses:') .. id end

-- A client's tokens of which only the log says that they are revoked: their members of DUE without the client's id.
local function log_only_of(id) return string.gsub(STORE, 'store$', 'alone:') .. id end

local function after(position)
  local high, low = tonumber(string.sub(position, 1, 10)), tonumber(string.sub(position, 11)) + 1
  if low == 1e9 then high, low = high + 1, 0 end
  return string.format('%010.0f%09.0f', high, low)
end

local function entry(position) return string.match(position, '^0*(%d+)$') .. '-0' end

local function sweep(now)
  local old = redis.call('ZRANGEBYSCORE', DUE, '-inf', '(' .. now, 'LIMIT', 0, 500)
  if #old == 0 then return end
  local entries, tokens, floor = {}, {}, store[3]
  for n, member in ipairs(old) do
    local position, key, owner = string.sub(member, 1, 19), string.sub(member, 20, 51), string.sub(member, 52)
    entries[n] = entry(position)
    if key ~= '' then tokens[#tokens + 1] = key end
    if owner ~= '' then redis.call('ZREM', log_only_of(owner), member) end
    if position > floor then floor = position end
  end
  redis.call('XDEL', LOG, unpack(entries))
  redis.call('ZREM', DUE, unpack(old))
  if #tokens > 0 then redis.call('HDEL', REVOKED, unpack(tokens)) end
  redis.call('HSET', STORE, 'floor', floor)
end

local function put(position, id, key, keep_until, log_only)
  local member, value, more = position .. key, position, {}
  if log_only then member, value, more = member .. id, value .. 'a' .. id, {'a', '1'} end
  redis.call('XADD', LOG, entry(position), 'c', id, 'k', key, unpack(more))
  if log_only then redis.call('ZADD', log_only_of(id), 0, member) end
  if key == '' then key = OF_ALL .. id end
  if key ~= OF_ALL and key ~= EVICTION then redis.call('HSET', REVOKED, key, value) end
  redis.call('ZADD', DUE, keep_until, member)
end

local function append(id, key, log_only)
  local position, expiry = after(store[2]), 0
  if time > position then position = time end
  if #key > 4 then
    local a, b, c, d = string.byte(key, 1, 4)
    expiry = ((a * 256 + b) * 256 + c) * 256 + d
  end
  local now = tonumber(string.sub(time, 1, 13))
  put(position, id, key, string.format('%.0f', math.max(now, expiry) + KEEP), log_only)
  redis.call('HSET', STORE, 'position', position)
  store[2] = position
  sweep(string.format('%.0f', now))
  return position
end
"""
)


def change(text: str) -> str:
    return named(CHANGE + text)


# It changes nothing: replicas confirm what was read.
CONFIRM = change("return 1")

# Each client is compared with what was read of it, empty texts if there was none. It returns 0 if one of them has
# changed, or the last one's ``revoked_before``. A deleted client keeps its key, so that its id is never used again.
# ``spares`` and ``spared`` are the last two of :data:`.records.Appends`; with either, only one client is written.
PUT_CLIENTS = change("""
local appends, spares, spared, last = ARGV[5], ARGV[6], ARGV[7], ''
for n = 8, #ARGV, 6 do
  local here = redis.call('HMGET', client(ARGV[n]), 'record', 'revoked_before')
  if (here[1] or '') ~= ARGV[n + 1] or (here[2] or '') ~= ARGV[n + 2] then return 0 end
end
begin()
for n = 8, #ARGV, 6 do
  local id, _, before, record, verifiers, revoked_before = unpack(ARGV, n, n + 5)
  if appends == '2' then append(id, EVICTION) end
  if appends == '1' then
    if spared ~= '' then
      redis.call('ZADD', DUE, string.format('%.0f', tonumber(string.sub(time, 1, 13)) + KEEP), spared)
    end
    revoked_before = append(id, '')
    if spares ~= '' then append(id, spares, true) end
  elseif revoked_before ~= before and tonumber(revoked_before) > 0 then
    redis.call('HSET', REVOKED, OF_ALL .. id, revoked_before)
  end
  redis.call('HSET', client(id), 'record', record, 'verifiers', verifiers, 'revoked_before', revoked_before)
  redis.call('ZADD', CLIENTS, 0, id)
  if record == '' then redis.call('DEL', uses(id)) end
  last = revoked_before
end
return last
""")

# The same for the key set. Its event names no client: a removed key may have signed anything that followers cache.
PUT_KEYS = change("""
local revoke_all, seen, record = unpack(ARGV, 5)
if redis.call('HGET', STORE, 'keys') ~= seen then return 0 end
begin()
if revoke_all == '1' then append('', '') end
redis.call('HSET', STORE, 'keys', record)
return 1
""")

# It returns 0 if the token is revoked already, as far as its position shows that; 1 if it has a row; or else how many
# live log-only revocations the client has. Of those before its ``revoked_before``, an event that spares tokens has the
# position from which on they count: it is below 2**53.
REVOKE = change("""
local id, key, issued, log_only = unpack(ARGV, 5)
local revoked_before = redis.call('HGET', client(id), 'revoked_before')
if not revoked_before and log_only == '0' then return 0 end
if (revoked_before and issued < revoked_before) or redis.call('HEXISTS', REVOKED, key) == 1 then return 0 end
begin()
append(id, key, log_only == '1')
if log_only == '0' then return 1 end
local from = revoked_before or ''
local following = redis.call('ZRANGEBYLEX', log_only_of(id), '[' .. from, '+', 'LIMIT', 0, 1)[1] or ''
if string.sub(following, 20, 31) == SPARES then
  from = string.format('%019.0f', struct.unpack('>I8', string.sub(following, 36, 43)))
end
return redis.call('ZLEXCOUNT', log_only_of(id), '[' .. from, '+')
""")

# Neither its duration nor the size of the reply reveals anything about the client.
FIND_VERIFIERS = named(f"""
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
local found = redis.call('HMGET', KEYS[2], 'verifiers', 'revoked_before')
return {{found[1] or string.rep(string.char(0), {len(BLANK_VERIFIERS)}), found[2] or string.rep('0', 19)}}
""")

# Not a transaction: a server whose memory is full refuses those. The last of the fields is ``revoked_before``; with the
# key of its log-only revocations, it also returns the one that follows that.
FIND_CLIENT = named("""
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
local found = redis.call('HMGET', KEYS[2], unpack(ARGV, 2))
if KEYS[3] then
  found[#found + 1] = redis.call('ZRANGEBYLEX', KEYS[3], '[' .. (found[#found] or ''), '+', 'LIMIT', 0, 1)
end
return found
""")

READ_LOG = named("""
local version, id, from, most = unpack(ARGV)
local store = redis.call('HMGET', KEYS[1], 'version', 'store_id', 'position', 'floor')
if store[1] ~= version then return -1 end
local events = {}
if store[2] == id and from ~= '' then events = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', most) end
return {store[2], store[3], store[4], events}
""")

# For a single server only: its keys are in two slots.
FIND_TOKEN = named("""
local version, key = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'version') ~= version then return -1 end
local row = redis.call('GET', KEYS[2])
if not row then return false end
local id, following = cjson.decode(row)[1], {}
local revoked_before = redis.call('HGET', KEYS[4] .. id, 'revoked_before')
if revoked_before and revoked_before ~= string.rep('0', 19) then
  following = redis.call('ZRANGEBYLEX', KEYS[5] .. id, '[' .. revoked_before, '+', 'LIMIT', 0, 1)
end
return {row, redis.call('HEXISTS', KEYS[3], key), revoked_before, following}
""")

# Its keys are the store's, those of the counters, and that of a token's row if there is one: on a single server only,
# since it is in another slot. It returns whether it has counted, and the counters.
COUNT = named("""
local version, counters, row, left = unpack(ARGV, 1, 4)
if redis.call('HGET', KEYS[1], 'version') ~= version then return -1 end
local values, counted = {}, 1
for n = 1, tonumber(counters) do
  values[n] = tonumber(redis.call('GET', KEYS[n + 1]) or '0')
  if not (values[n] and values[n] >= 0) then return redis.error_reply('ERR no number') end
  local limit = ARGV[2 * n + 3]
  if limit ~= '' and values[n] >= tonumber(limit) then counted = 0 end
end
if counted == 1 then
  for n = 1, tonumber(counters) do
    values[n] = values[n] + 1
    redis.call('SET', KEYS[n + 1], string.format('%.0f', values[n]), 'EX', ARGV[2 * n + 4])
  end
  if row ~= '' then redis.call('SET', KEYS[#KEYS], row, 'EX', left) end
end
return {counted, unpack(values)}
""")

# After the store's key, each use has those of its client and of the client's uses. A client that was deleted, or was
# never there, has no record.
NOTE_USES = named("""
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
for n = 2, #KEYS, 2 do
  local secret_id, second = unpack(ARGV, n, n + 1)
  local known = (redis.call('HGET', KEYS[n], 'record') or '') ~= ''
  if known and (tonumber(redis.call('HGET', KEYS[n + 1], secret_id) or '') or -1) < tonumber(second) then
    redis.call('HSET', KEYS[n + 1], secret_id, second)
  end
end
return 1
""")

# It returns the version, an empty text for keys of something else, or nothing if there are none. An id creates a store.
LOOK = named("""
local version, id, keys = unpack(ARGV)
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' then return redis.call('HGET', KEYS[1], 'version') or '' end
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then return '' end
end
if id == '' then return false end
local zero = string.rep('0', 19)
redis.call('HSET', KEYS[1], 'version', version, 'store_id', id, 'position', zero, 'floor', zero, 'keys', keys)
return version
""")

# It returns 0 if the store has changed since it was read.
BECOME = change("""
local seen, position, keys, clients, new = unpack(ARGV, 5)
if (store[4] or '') ~= seen or store[2] ~= position then return 0 end
if redis.call('HGET', STORE, 'keys') ~= keys or redis.call('ZCARD', CLIENTS) ~= tonumber(clients) then return 0 end
redis.call('HSET', STORE, 'origin', new)
return 1
""")

# It does what an append does, with the positions and times of the other store.
PUT_EVENTS = change("""
local last, floor = ARGV[5], ARGV[6]
if store[2] > last then last = store[2] end
if store[3] > floor then floor = store[3] end
begin()
for n = 7, #ARGV, 5 do
  local position, id, key, keep_until, log_only = unpack(ARGV, n, n + 4)
  if position > store[2] then
    put(position, id, key, keep_until, log_only == '1')
    if key == '' then
      local revoked_before = redis.call('HGET', client(id), 'revoked_before')
      if revoked_before and revoked_before < position then
        redis.call('HSET', client(id), 'revoked_before', position)
      end
    end
  end
end
redis.call('HSET', STORE, 'position', last, 'floor', floor)
return 1
""")
