-- Puts messages in flight back on their lists, at the end that is served next.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, holders, heartbeat of the worker
-- ARGV: worker id, prefix of the lists, 'left' (by the worker itself, the fetch is not counted) or 'died' (nothing is
-- done when the worker turns out to be alive), the delivery tags
-- RETURNS: how many

local keys = flight()
if ARGV[3] == 'died' and redis.call('EXISTS', KEYS[6]) == 1 then return 0 end
local restored = 0
for i = 4, #ARGV do
  local held = let_go(keys, ARGV[1], ARGV[i])
  local raw = held and release(held)
  local message = raw and read(raw)
  if message then
    if ARGV[3] == 'left' then redis.call('HINCRBY', keys.deliveries, ARGV[i], -1) end
    redis.call('RPUSH', ARGV[2] .. message.list, raw)
    restored = restored + 1
  end
end
return restored
