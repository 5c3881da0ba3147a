-- Puts messages in flight back on their lists, at the end that is served next, the first of them first.
-- KEYS: unacked, unacked_index, holders, deliveries, dead, heartbeat of the worker
-- ARGV: worker id, prefix of the lists, 'left' (by the worker itself, the fetch is not counted) or 'died' (nothing is
-- done when the worker turns out to be alive), the delivery tags
-- RETURNS: how many

local keys = flight()
need_dead(KEYS[5])
if ARGV[3] == 'died' and redis.call('EXISTS', KEYS[6]) == 1 then return 0 end
local restored = 0
for i = #ARGV, 4, -1 do
  local held = let_go(keys, ARGV[1], ARGV[i])
  if held then
    restore(keys, ARGV[2], KEYS[5], ARGV[i], held, ARGV[3])
    restored = restored + 1
  end
end
return restored
