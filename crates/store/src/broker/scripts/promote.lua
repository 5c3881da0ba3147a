-- Puts delayed messages that are due back on their lists, at the end that is served next.
-- KEYS: delayed, delayed_body, dead
-- ARGV: prefix of the lists
-- RETURNS: how many

need('zset', KEYS[1])
need('hash', KEYS[2])
need_dead(KEYS[3])
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now(), 'LIMIT', 0, 100)
for _, tag in ipairs(due) do
  local held = redis.call('HGET', KEYS[2], tag)
  redis.call('ZREM', KEYS[1], tag)
  redis.call('HDEL', KEYS[2], tag)
  if held then put_back(ARGV[1], KEYS[3], held) end
end
return #due
