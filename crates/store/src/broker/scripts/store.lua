-- Stores a result document, unless there is one that says SUCCESS.
-- KEYS: result
-- ARGV: document, seconds that it is kept
-- RETURNS: nothing

store(KEYS[1], ARGV[1], ARGV[2])
