-- How many messages lie on each list, and since when the one that is served next has been there. One that does not say it
-- itself, as those of Python's producers, is noted when it is first seen there, where Redis takes that.
-- KEYS: heads, then the lists
-- ARGV: none
-- RETURNS: {milliseconds since the epoch, of each list: {how many, and of the one that is served next, if there is one: when
-- it was put there, or '', its eta, or '', when it was first seen, or ''}}

local heads, time, call = KEYS[1], math.floor(now() * 1000), redis.call
need('hash', heads)
local noted = {}
local fields = call('HGETALL', heads)
for i = 1, #fields, 2 do noted[fields[i]] = fields[i + 1] end

local function first_seen(list, raw)
  -- Its end has its delivery tag.
  local name = redis.sha1hex(string.sub(raw, -300))
  local before, since = string.match(noted[list] or '', '^(%x+) (%d+)$')
  if before == name then return since end
  redis.pcall('HSET', heads, list, name .. ' ' .. time)
  return tostring(time)
end

local function look(list)
  local raw = is('list', list) and call('LINDEX', list, -1)
  local enqueued = raw and enqueued_at(raw)
  if noted[list] and (not raw or enqueued) then redis.pcall('HDEL', heads, list) end
  if not raw then return { '0' } end
  local eta = header(raw, 'eta', '"([^"]*)"') or ''
  return { tostring(call('LLEN', list)), enqueued or '', eta, enqueued and '' or first_seen(list, raw) }
end

local answer = { time }
for i = 2, #KEYS do answer[i] = look(KEYS[i]) end
return answer
