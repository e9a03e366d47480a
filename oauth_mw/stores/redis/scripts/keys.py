"""What Redis does in one step with signing keys, see :mod:`.changes`. ``MORE`` is the hash that has them."""

from __future__ import annotations

from .changes import CHANGE, named

_ADD_KEY = """
local kid, record, latest = unpack(ARGV, 5)
local here, last = '', -1
local found = redis.call('HGETALL', MORE)
for n = 1, #found, 2 do
  local from = cjson.decode(found[n + 1])[1]
  if from > last then here, last = found[n], from end
end
if here ~= latest then return 0 end
redis.call('HSET', MORE, kid, record)
return 1
"""

_NEED_KEY = """
local kid, needed = unpack(ARGV, 5)
local found = redis.call('HGET', MORE, kid)
if not found then return 0 end
local record = cjson.decode(found)
if record[2] < tonumber(needed) then
  record[2] = tonumber(needed)
  redis.call('HSET', MORE, kid, cjson.encode(record))
end
return 1
"""

# The event names no client: all that followers know may have been signed by the key.
_REMOVE_KEY = """
local kid = ARGV[5]
if redis.call('HEXISTS', MORE, kid) == 0 then return 0 end
append('')
redis.call('HDEL', MORE, kid)
return 1
"""

_DROP_KEY = """
local kid, needed = unpack(ARGV, 5)
local found = redis.call('HGET', MORE, kid)
if not found or cjson.decode(found)[2] > tonumber(needed) then return 0 end
redis.call('HDEL', MORE, kid)
return 1
"""

ADD_KEY = named(CHANGE + _ADD_KEY)
NEED_KEY = named(CHANGE + _NEED_KEY)
REMOVE_KEY = named(CHANGE + _REMOVE_KEY)
DROP_KEY = named(CHANGE + _DROP_KEY)
