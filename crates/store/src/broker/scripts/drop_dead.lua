-- Drops a dead letter.
-- KEYS: dead
-- ARGV: its id
-- RETURNS: 1, or 0 when there is no such dead letter

need_dead(KEYS[1])
return take_dead(KEYS[1], ARGV[1])
