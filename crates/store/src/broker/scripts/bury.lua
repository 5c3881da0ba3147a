-- Moves a message from flight to the dead letters, and stores the failure for whoever waits for its result.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, holders, dead, result
-- ARGV: worker id, delivery tag, reason, result document or '', seconds that it is kept
-- RETURNS: 1, or 0 when the message was not held

local held = let_go(flight(), ARGV[1], ARGV[2])
if not held then return 0 end
local deliveries = tonumber(redis.call('HGET', KEYS[4], ARGV[2])) or 0
redis.call('HDEL', KEYS[4], ARGV[2])
bury(KEYS[6], release(held) or held, ARGV[3], deliveries)
if ARGV[4] ~= '' and redis.call('EXISTS', KEYS[7]) == 0 then
  redis.call('SETEX', KEYS[7], ARGV[5], ARGV[4])
  redis.call('PUBLISH', KEYS[7], ARGV[4])
end
return 1
