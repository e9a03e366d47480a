"""What a store on Redis does in one step when it becomes a copy: see :mod:`.changes`.

Of a copy, the store's own key also says of which store (``origin``), where the log stood after the
last step (``copied``) and which signing keys came from there (``kids``), and that of each client has
a digest of what was written (``copied``).
"""

from __future__ import annotations

from .changes import CHANGE, named

OTHER_COPY, OWN_EVENTS, OCCUPIED = -2, -3, -4

# Of these scripts CLIENT is how the keys of clients begin. What they refuse is told by a number, or by a client's id.
_COPY = """
local origin = ARGV[5]

local function judged()
  local copy = redis.call('HMGET', STORE, 'origin', 'copied')
  if copy[1] ~= origin then return -2 end
  if copy[2] ~= store[2] then return -3 end
end

local function digest(client) return redis.sha1hex(table.concat(client, '\\n', 1, 4)) end

local function client(id)
  return redis.call('HMGET', CLIENT .. id, 'deleted', 'enabled', 'record', 'secrets', 'copied', 'ended')
end
"""

_BECOME = """
if redis.call('HEXISTS', STORE, 'origin') == 1 then return judged() or 1 end
if redis.call('ZCARD', CLIENTS) > 0 then return -4 end
redis.call('HSET', STORE, 'origin', origin, 'copied', store[2])
return 1
"""

_CHECK_CLIENTS = """
for n = 6, #ARGV do
  local here = client(ARGV[n])
  if here[1] and digest(here) ~= here[5] then return ARGV[n] end
end
return 1
"""

_TAKE_CLIENTS = """
local refused = judged()
if refused then return refused end
local differing, taken = {}, {}
for n = 6, #ARGV, 6 do
  local id, ended = ARGV[n], ARGV[n + 5]
  local here, new = client(id), digest({unpack(ARGV, n + 1, n + 4)})
  if here[1] then
    if digest(here) ~= here[5] then return id end
    if here[6] > ended then ended = here[6] end
  end
  if here[5] ~= new or here[6] ~= ended then
    differing[#differing + 1] = {n, new, ended}
    taken[#taken + 1] = (n - 6) / 6
  end
end
for _, found in ipairs(differing) do
  local n, new, ended = unpack(found)
  local id, deleted, enabled, record, secrets = unpack(ARGV, n, n + 4)
  redis.call('HSET', CLIENT .. id, 'deleted', deleted, 'enabled', enabled, 'record', record, 'secrets', secrets,
             'copied', new, 'ended', ended)
  redis.call('ZADD', CLIENTS, 0, id)
  if tonumber(ended) > 0 then redis.call('HSET', REVOKED, OF_ALL .. id, ended) end
end
return taken
"""

_TAKE_EVENTS = """
local refused = judged()
if refused then return refused end
local last, floor = ARGV[6], ARGV[7]
if store[2] > last then last = store[2] end
if store[3] > floor then floor = store[3] end
for n = 8, #ARGV, 5 do
  local position, id, key, keep_until, is_alone = unpack(ARGV, n, n + 4)
  if position > store[2] then
    put(position, id, key, keep_until, is_alone == '1')
    if key == '' then
      local ended = redis.call('HGET', CLIENT .. id, 'ended')
      if ended and ended < position then redis.call('HSET', CLIENT .. id, 'ended', position) end
    end
  end
end
redis.call('HSET', STORE, 'position', last, 'floor', floor, 'copied', last)
return 1
"""

# MORE has the signing keys. The first write is one that Redis refuses for want of memory.
_TAKE_KEYS = """
local refused = judged()
if refused then return refused end
local came, there, kids, new = redis.call('HGET', STORE, 'kids') or '', {}, {}, 0
for n = 6, #ARGV, 2 do
  kids[#kids + 1] = ARGV[n]
  there[ARGV[n]] = ARGV[n + 1]
end
redis.call('HSET', STORE, 'kids', table.concat(kids, ' '))
for _, kid in ipairs(kids) do
  local here = redis.call('HGET', MORE, kid)
  if not here then new = new + 1 end
  if not here or cjson.decode(here)[2] < cjson.decode(there[kid])[2] then
    redis.call('HSET', MORE, kid, there[kid])
  end
end
for kid in string.gmatch(came, '%S+') do
  if not there[kid] then redis.call('HDEL', MORE, kid) end
end
return new
"""

BECOME = named(CHANGE + _COPY + _BECOME)
CHECK_CLIENTS = named(CHANGE + _COPY + _CHECK_CLIENTS)
TAKE_CLIENTS = named(CHANGE + _COPY + _TAKE_CLIENTS)
TAKE_EVENTS = named(CHANGE + _COPY + _TAKE_EVENTS)
TAKE_KEYS = named(CHANGE + _COPY + _TAKE_KEYS)
