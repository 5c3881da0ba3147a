-- Notes that the run of a message begins that a worker has died of before, perhaps.
-- KEYS: unacked, unacked_index, holders, deliveries
-- ARGV: worker id, delivery tag
-- RETURNS: 1, or 0 when the message was not held

local keys = flight()
if redis.call('HGET', keys.holders, ARGV[2]) ~= ARGV[1] then return 0 end
suspect(keys, ARGV[2])
return 1
