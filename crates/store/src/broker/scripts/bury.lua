-- Moves a message from flight to the dead letters, and stores the failure for whoever waits for its result.
-- KEYS: unacked, unacked_index, holders, deliveries, dead, result
-- ARGV: worker id, delivery tag, reason, how often it was fetched, result document or '', seconds that it is kept
-- RETURNS: 1, or 0 when the message was not held

local keys = flight()
need_dead(KEYS[5])
local held = let_go(keys, ARGV[1], ARGV[2])
if not held then return 0 end
redis.call('HDEL', KEYS[4], ARGV[2])
bury_held(KEYS[5], held, ARGV[3], tonumber(ARGV[4]))
if ARGV[5] ~= '' and redis.call('SET', KEYS[6], ARGV[5], 'EX', ARGV[6], 'NX') then
  redis.call('PUBLISH', KEYS[6], ARGV[5])
end
return 1
