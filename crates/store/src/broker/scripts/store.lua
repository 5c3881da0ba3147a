-- Stores a result document, unless there is one that says SUCCESS.
-- KEYS: result, unacked
-- ARGV: document, seconds that it is kept
-- RETURNS: nothing

need('string', KEYS[1])
go_on_when_full(KEYS[2])
store(KEYS[1], ARGV[1], ARGV[2])
