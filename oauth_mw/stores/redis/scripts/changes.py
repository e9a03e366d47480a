"""What Redis does in one step: Lua, run by its digest.

Every script first judges the store's own key and gives NO_STORE when it is not there or of another
version. Every script of a change has the same keys, all in one slot.

Redis undoes nothing when a script fails half-way, so what can fail comes first: the first write of
each is one that Redis refuses for want of memory; after it, none is refused.

Lua has doubles only, exact to 2**53 microseconds, which is the year 2255: positions are text.
"""

from __future__ import annotations

from hashlib import sha1

from ....model import LOG_KEEP_SECONDS

VERSION = b"2"
NO_STORE = -1

# 500: how many old events an append may remove. OF_ALL: no token's key begins so, with an expiry of 0.
CHANGE = (
    f"local KEEP, OF_ALL = {LOG_KEEP_SECONDS}, string.char(0, 0, 0, 0)"
    + """
local STORE, LOG, DUE, REVOKED, CLIENT, CLIENTS, MORE = unpack(KEYS)
local version, time, fence, id = unpack(ARGV)
local store = redis.call('HMGET', STORE, 'version', 'position', 'floor')
if store[1] ~= version then return -1 end
if redis.replicate_commands then redis.replicate_commands() end
if fence == '1' then redis.call('HINCRBY', STORE, 'fence', 1) end
if time == '' then
  local now = redis.call('TIME')
  time = string.format('%013.0f%06.0f', now[1], now[2])
end

local function after(position)
  local high, low = tonumber(string.sub(position, 1, 10)), tonumber(string.sub(position, 11)) + 1
  if low == 1e9 then high, low = high + 1, 0 end
  return string.format('%010.0f%09.0f', high, low)
end

local function entry(position) return string.match(position, '^0*(%d+)$') .. '-0' end

-- A client's tokens that the log alone knows to be ended: what DUE has of them, less the client's id, by position.
local function alone(id) return string.gsub(LOG, 'log$', 'alone:') .. id end

local function drop(members)
  local entries, tokens = {}, {}
  for n, member in ipairs(members) do
    entries[n] = entry(string.sub(member, 1, 19))
    local key = string.sub(member, 20, 51)
    if key ~= '' then tokens[#tokens + 1] = key end
  end
  redis.call('XDEL', LOG, unpack(entries))
  redis.call('ZREM', DUE, unpack(members))
  if #tokens > 0 then redis.call('HDEL', REVOKED, unpack(tokens)) end
end

local function sweep(now)
  local old = redis.call('ZRANGEBYSCORE', DUE, '-inf', '(' .. now, 'LIMIT', 0, 500)
  if #old == 0 then return end
  local floor = store[3]
  for _, member in ipairs(old) do
    local position, owner = string.sub(member, 1, 19), string.sub(member, 52)
    if owner ~= '' then redis.call('ZREM', alone(owner), member) end
    if position > floor then floor = position end
  end
  drop(old)
  redis.call('HSET', STORE, 'floor', floor)
end

local function put(position, id, key, keep_until, is_alone)
  local member, value, more = position .. key, position, {}
  if is_alone then member, value, more = member .. id, value .. 'a' .. id, {'a', '1'} end
  redis.call('XADD', LOG, entry(position), 'c', id, 'k', key, unpack(more))
  if is_alone then redis.call('ZADD', alone(id), 0, member) end
  if key == '' then key = OF_ALL .. id end
  if key ~= OF_ALL then redis.call('HSET', REVOKED, key, value) end
  redis.call('ZADD', DUE, keep_until, member)
end

local function append(key, is_alone)
  local position, expiry = after(store[2]), 0
  if time > position then position = time end
  if key ~= '' then
    local a, b, c, d = string.byte(key, 1, 4)
    expiry = ((a * 256 + b) * 256 + c) * 256 + d
  end
  local now = tonumber(string.sub(time, 1, 13))
  put(position, id, key, string.format('%.0f', math.max(now, expiry) + KEEP), is_alone)
  redis.call('HSET', STORE, 'position', position)
  sweep(string.format('%.0f', now))
  return position
end
"""
)

_ADD_CLIENT = """
local record, enabled, secrets = unpack(ARGV, 5)
if redis.call('EXISTS', CLIENT) == 1 then return 0 end
redis.call('HSET', CLIENT, 'record', record, 'enabled', enabled, 'secrets', secrets,
           'ended', string.rep('0', 19), 'deleted', '0')
redis.call('ZADD', CLIENTS, 0, id)
return 1
"""

# 0: others changed it since it was read. Else the position before which its tokens are revoked. A deleted client keeps
# its key, so that its id is never used again and its tokens stay dead.
_UPDATE_CLIENT = """
local record, enabled, secrets, ended, new_record, new_enabled, new_secrets, deleted, revoke = unpack(ARGV, 5)
local here = redis.call('HMGET', CLIENT, 'record', 'enabled', 'secrets', 'ended', 'deleted')
if here[1] ~= record or here[2] ~= enabled or here[3] ~= secrets or here[4] ~= ended or here[5] ~= '0' then return 0 end
if revoke == '1' then ended = append('') end
redis.call('HSET', CLIENT, 'record', new_record, 'enabled', new_enabled, 'secrets', new_secrets,
           'ended', ended, 'deleted', deleted)
return ended
"""

# The same for the signing keys, the hash MORE: what was seen of it, then what to write; an empty record removes a key.
# The event names no client: all that followers know may have been signed by a key that went.
_UPDATE_KEYS = """
local revoke_all, count = unpack(ARGV, 5)
if redis.call('HLEN', MORE) ~= tonumber(count) then return 0 end
local first = 7 + 2 * count
for n = 7, first - 2, 2 do
  if redis.call('HGET', MORE, ARGV[n]) ~= ARGV[n + 1] then return 0 end
end
if revoke_all == '1' then append('') end
for n = first, #ARGV, 2 do
  if ARGV[n + 1] == '' then redis.call('HDEL', MORE, ARGV[n]) else redis.call('HSET', MORE, ARGV[n], ARGV[n + 1]) end
end
return 1
"""

_REVOKE_TOKEN = """
local key, issued = unpack(ARGV, 5)
local ended = redis.call('HGET', CLIENT, 'ended')
if not ended or issued < ended or redis.call('HEXISTS', REVOKED, key) == 1 then return 0 end
append(key)
return 1
"""

# How many live ones the client has then.
_REVOKE_LOG_ONLY = """
local key, issued = unpack(ARGV, 5)
local ended = redis.call('HGET', CLIENT, 'ended')
if (ended and issued < ended) or redis.call('HEXISTS', REVOKED, key) == 1 then return 0 end
append(key, true)
return redis.call('ZLEXCOUNT', MORE, '[' .. (ended or ''), '+')
"""

# What is done shows in the time of an answer. So behind the secrets there are always blank ones.
_FIND_VERIFIERS = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
return (redis.call('HGET', KEYS[2], 'secrets') or '') .. string.rep('\\n' .. ARGV[2], ARGV[3])
"""

# A transaction would do, but a server that is full takes none.
_FIND_CLIENT = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return -1 end
return redis.call('HMGET', KEYS[2], unpack(ARGV, 2))
"""

_READ_LOG = """
local version, id, from, most = unpack(ARGV)
local store = redis.call('HMGET', KEYS[1], 'version', 'store_id', 'position', 'floor')
if store[1] ~= version then return -1 end
local events = {}
if store[2] == id and from ~= '' then events = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', most) end
return {store[2], store[3], store[4], events}
"""

# Its keys lie in two slots: for one server only.
_FIND_TOKEN = """
local version, key = unpack(ARGV)
if redis.call('HGET', KEYS[1], 'version') ~= version then return -1 end
local row = redis.call('GET', KEYS[2])
if not row then return false end
local ended = redis.call('HGET', KEYS[4] .. cjson.decode(row)[1], 'ended')
return {row, ended, redis.call('HEXISTS', KEYS[3], key)}
"""

# The version that is there; empty for keys of something else, nothing where nothing is.
_LOOK = """
local version, id = unpack(ARGV)
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' then return redis.call('HGET', KEYS[1], 'version') or '' end
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then return '' end
end
if id == '' then return false end
local zero = string.rep('0', 19)
redis.call('HSET', KEYS[1], 'version', version, 'store_id', id, 'position', zero, 'floor', zero)
return version
"""


def named(text: str) -> str:
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
    TEXTS[digest] = text
    return digest


# By the digest that Redis knows a script by.
TEXTS: dict[str, str] = {}

ADD_CLIENT = named(CHANGE + _ADD_CLIENT)
UPDATE_CLIENT = named(CHANGE + _UPDATE_CLIENT)
UPDATE_KEYS = named(CHANGE + _UPDATE_KEYS)
REVOKE_TOKEN = named(CHANGE + _REVOKE_TOKEN)
REVOKE_LOG_ONLY = named(CHANGE + _REVOKE_LOG_ONLY)
FIND_VERIFIERS = named(_FIND_VERIFIERS)
FIND_CLIENT = named(_FIND_CLIENT)
READ_LOG = named(_READ_LOG)
FIND_TOKEN = named(_FIND_TOKEN)
LOOK = named(_LOOK)
