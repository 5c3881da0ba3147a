-- Pushes the task of a slot, unless that slot or a later one of the entry was pushed before.
-- KEYS: slots, the list
-- ARGV: entry, slot in milliseconds, message
-- RETURNS: 1, or 0 when the slot was there already

local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '-1')
-- A beat whose clock was far ahead must not silence the others until then.
if last > (now() + 60) * 1000 then last = -1 end
if tonumber(ARGV[2]) <= last then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('LPUSH', KEYS[2], ARGV[3])
return 1
