-- Says that a worker is alive and renews what it holds, so that nobody takes it for abandoned.
-- KEYS: heartbeat, workers, holders, unacked_index
-- ARGV: worker id, milliseconds after which the worker counts as dead
-- RETURNS: how many messages it holds

need('set', KEYS[2])
need('hash', KEYS[3])
need('zset', KEYS[4])
go_on_when_full(KEYS[2])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
local holders, time, count = redis.call('HGETALL', KEYS[3]), math.ceil(now()), 0
for i = 1, #holders, 2 do
  if holders[i + 1] == ARGV[1] then
    redis.call('ZADD', KEYS[4], 'XX', time, holders[i])
    count = count + 1
  end
end
return count
