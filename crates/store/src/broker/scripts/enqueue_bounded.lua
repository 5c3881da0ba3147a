-- Pushes a task onto a queue that holds less than so many bytes, and whose oldest task waits for less than so long.
-- KEYS: the list
-- ARGV: message, bytes, milliseconds, the time now in milliseconds as the message says it
-- RETURNS: 1, or 0 when the queue is full or stands still

-- An estimate over a few of its messages: counting all of them would cost what it saves.
local used = redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 20) or 0
if used + string.len(ARGV[1]) > tonumber(ARGV[2]) then return 0 end
local oldest = redis.call('LINDEX', KEYS[1], -1)
local since = oldest and string.match(oldest, '"x%-enqueued%-at":%s*(%d+)')
if since and tonumber(ARGV[4]) - tonumber(since) > tonumber(ARGV[3]) then return 0 end
redis.call('LPUSH', KEYS[1], ARGV[1])
return 1
