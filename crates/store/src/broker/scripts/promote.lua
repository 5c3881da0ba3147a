-- Puts delayed messages that are due back on their lists, at the end that is served next.
-- KEYS: delayed, delayed_body
-- ARGV: prefix of the lists
-- RETURNS: how many

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now(), 'LIMIT', 0, 100)
for _, tag in ipairs(due) do
  local held = redis.call('HGET', KEYS[2], tag)
  redis.call('ZREM', KEYS[1], tag)
  redis.call('HDEL', KEYS[2], tag)
  if held then
    local raw, named, _, queue, priority = open(held)
    if named then redis.call('RPUSH', ARGV[1] .. list_of(queue, priority), raw) end
  end
end
return #due
