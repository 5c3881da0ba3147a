-- Puts a dead letter back on its queue, behind what waits there, as it was: not a byte is changed, and its deliveries are
-- forgotten, and the failure that its waiting caller was told.
-- KEYS: dead, unacked, deliveries, requeued
-- ARGV: its id, prefix of the lists, prefix of the results
-- RETURNS: {'requeued'}, {'gone'}, or {'refused', the reason}

local REQUEUED_DAYS = 7
need_dead(KEYS[1])
need('hash', KEYS[2], KEYS[3])
need('zset', KEYS[4])
local raw = redis.call('HGET', messages_of(KEYS[1]), ARGV[1])
if not raw then return { 'gone' } end
local tag, wrong, queue, priority = read(raw)
if not tag then return { 'refused', wrong } end
-- It would become a dead letter at once.
if redis.call('HEXISTS', KEYS[2], tag) == 1 then
  return { 'refused', 'a message with its delivery_tag is in flight' }
end
local batch
local known = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
for i = 1, known and #known[2] or 0, 2 do
  local field, value = known[2][i], known[2][i + 1]
  if field == 'queue' and value ~= '' then queue = value end
  if field == 'batch' and value ~= '' then batch = value end
end
local list = ARGV[2] .. list_of(queue, priority)
if not is('list', list) then return { 'refused', 'the key of its queue holds no list' } end
local whole, decoded = pcall(cjson.decode, raw)
local result = ARGV[3] .. (whole and text(decoded.headers, 'id') or '')
local ok, document = pcall(cjson.decode, is('string', result) and redis.call('GET', result) or 'null')
redis.call('HDEL', KEYS[3], tag)
if batch then
  redis.call('ZADD', KEYS[4], now(), batch)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now() - REQUEUED_DAYS * 86400)
  redis.call('EXPIRE', KEYS[4], REQUEUED_DAYS * 86400)
end
if ok and type(document) == 'table' and document.status == 'FAILURE' then redis.call('DEL', result) end
redis.call('LPUSH', list, raw)
take_dead(KEYS[1], ARGV[1])
return { 'requeued' }
