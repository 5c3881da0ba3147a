-- Pushes a task onto a queue that holds less than so many bytes, with the batches that are dead letters, and whose oldest task
-- waits for less than so long; with a key, unless one was pushed under it before.
-- KEYS: the list, dead, and the key if there is one
-- ARGV: message, bytes, milliseconds, the time now in milliseconds as the message says it; with a key: what it is to say,
-- seconds for which it says so
-- RETURNS: {'queued'}, {'full'} when the queue is full or stands still, {'before', what the key says}

need('list', KEYS[1])
need('hash', totals_of(KEYS[2]))
if KEYS[3] then need('string', KEYS[3]) end
local before = KEYS[3] and redis.call('GET', KEYS[3])
if before then return { 'before', before } end
-- An estimate over a few of its messages: counting all of them would cost what it saves.
local used = redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 20) or 0
used = used + dead_total(KEYS[2], 'batch_bytes')
if used + string.len(ARGV[1]) > tonumber(ARGV[2]) then return { 'full' } end
local oldest = redis.call('LINDEX', KEYS[1], -1)
local since = oldest and enqueued_at(oldest)
if since and tonumber(ARGV[4]) - tonumber(since) > tonumber(ARGV[3]) then return { 'full' } end
redis.call('LPUSH', KEYS[1], ARGV[1])
if KEYS[3] then redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[6]) end
return { 'queued' }
