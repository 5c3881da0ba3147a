-- Moves a message from flight to the delayed ones; the fetch is not counted.
-- KEYS: unacked, unacked_index, holders, deliveries, delayed, delayed_body
-- ARGV: worker id, delivery tag, 'at' or 'in', when it is due: in seconds since the epoch, or from now
-- RETURNS: 1, or 0 when the message was not held

local keys = flight()
need('zset', KEYS[5])
need('hash', KEYS[6])
local held = let_go(keys, ARGV[1], ARGV[2])
if not held then return 0 end
redis.call('HSET', KEYS[6], ARGV[2], held)
redis.call('ZADD', KEYS[5], ARGV[3] == 'at' and ARGV[4] or now() + tonumber(ARGV[4]), ARGV[2])
return 1
