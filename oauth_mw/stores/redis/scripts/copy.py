"""What a store on Redis does in one step when it becomes a copy of another one: see :mod:`.changes`."""

from __future__ import annotations

from .changes import CHANGE, named

# 0: what was read of it has changed since.
_BECOME = """
local seen, position, keys, clients, new = unpack(ARGV, 5)
if (store[4] or '') ~= seen or store[2] ~= position then return 0 end
if redis.call('HGET', STORE, 'keys') ~= keys or redis.call('ZCARD', CLIENTS) ~= tonumber(clients) then return 0 end
redis.call('HSET', STORE, 'origin', new)
return 1
"""

# What an append does, with the positions and times of the other store.
_PUT_EVENTS = """
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
"""

BECOME = named(CHANGE + _BECOME)
PUT_EVENTS = named(CHANGE + _PUT_EVENTS)
