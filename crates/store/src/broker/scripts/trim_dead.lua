-- Drops the dead letters that are too old.
-- KEYS: dead
-- ARGV: none
-- RETURNS: how many were dropped, for their age or for room, since this was last asked

need_dead(KEYS[1])
trim_dead(KEYS[1])
local dropped, told = dead_total(KEYS[1], 'dropped'), dead_total(KEYS[1], 'told')
if dropped > told then redis.call('HSET', totals_of(KEYS[1]), 'told', dropped) end
return dropped - told
