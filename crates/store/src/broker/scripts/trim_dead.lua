-- Forgets the dead letters that are too old.
-- KEYS: dead
-- ARGV: none
-- RETURNS: 1

need_dead(KEYS[1])
trim_dead(KEYS[1])
return 1
