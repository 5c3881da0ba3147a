-- Pushes a task, unless one was pushed under the same name a moment ago.
-- KEYS: the name, the list
-- ARGV: message, milliseconds for which one is enough
-- RETURNS: 1, or 0 when there was one

need('list', KEYS[2])
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[2]) then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
