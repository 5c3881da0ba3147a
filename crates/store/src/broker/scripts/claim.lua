-- Gives a worker a name that no other living worker has.
-- KEYS: nodes
-- ARGV: worker id, the beginning of the keys that say that a worker is alive, then the names in their order
-- RETURNS: the first name that was free, or nil

go_on_when_full(KEYS[1])
local nodes = redis.call('HGETALL', KEYS[1])
local taken = {}
for i = 1, #nodes, 2 do
  local name, holder = nodes[i], nodes[i + 1]
  if holder == ARGV[1] or redis.call('EXISTS', ARGV[2] .. holder) == 0 then
    redis.call('HDEL', KEYS[1], name)
  else
    taken[name] = true
  end
end
for i = 3, #ARGV do
  if not taken[ARGV[i]] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[1])
    return ARGV[i]
  end
end
return nil
