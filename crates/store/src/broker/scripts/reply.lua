-- Gives a caller the reply to its request, if it still listens.
-- KEYS: the binding of the exchange of replies, the list that the caller reads
-- ARGV: what the binding holds while the caller listens, the reply, seconds that it is kept
-- RETURNS: 1 when the caller has it, 0 when it is gone

if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
