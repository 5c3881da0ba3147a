-- Notes what is withdrawn, and says so at once to whoever waits for a task that has not come to anything yet: as Celery
-- does. One that is running has no result either; what it comes to then takes the place of this one.
-- KEYS: revoked, then the results of the tasks, in the order of their names
-- ARGV: seconds for which it is remembered, how many are, seconds that a result is kept, how many names, the names, then
-- the result documents of those that are tasks
-- RETURNS: how many of the tasks have come to nothing yet

local revoked, call = KEYS[1], redis.call
need('zset', revoked)
local time, count = now(), tonumber(ARGV[4])
local withdrawn = 0
for i = 1, count do call('ZADD', revoked, time + tonumber(ARGV[1]), ARGV[4 + i]) end
call('ZREMRANGEBYSCORE', revoked, '-inf', time)
call('ZREMRANGEBYRANK', revoked, 0, -tonumber(ARGV[2]) - 1)
local open = { PENDING = true, RECEIVED = true, RETRY = true, REJECTED = true }
for i = 2, #KEYS do
  local old = is('string', KEYS[i]) and (call('GET', KEYS[i]) or 'null')
  local ok, result = pcall(cjson.decode, old or '')
  if old == 'null' or ok and type(result) == 'table' and open[result.status] then
    local document = ARGV[4 + count + i - 1]
    call('SET', KEYS[i], document, 'EX', ARGV[3])
    call('PUBLISH', KEYS[i], document)
    withdrawn = withdrawn + 1
  end
end
return withdrawn
