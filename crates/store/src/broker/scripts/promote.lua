-- Puts delayed messages that are due back on their lists, at the end that is served next.
-- KEYS: delayed, delayed_body, delayed_count, dead
-- ARGV: prefix of the lists
-- RETURNS: how many

local delayed, dead = { due = KEYS[1], held = KEYS[2], counts = KEYS[3] }, KEYS[4]
need_delayed(delayed)
need_dead(dead)
local due = redis.call('ZRANGEBYSCORE', delayed.due, '-inf', now(), 'LIMIT', 0, 100)
for _, tag in ipairs(due) do
  local held = take_delayed(delayed, tag)
  if held then put_back(ARGV[1], dead, held) end
end
return #due
