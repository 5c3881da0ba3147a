-- Puts back what was held by a worker of another kind and not renewed for too long, as that kind's own workers do.
-- KEYS: unacked, unacked_index, holders, deliveries, dead
-- ARGV: prefix of the lists, seconds without a renewal, what the keys of bindings begin with
-- RETURNS: how many

local keys, call = flight(), redis.call
need_dead(KEYS[5])

-- A binding's pattern as Lua's: `*` is a word, `#` any number of them.
local function matches(pattern, topic)
  local lua = string.gsub(pattern, '[%^%$%(%)%%%.%[%]%+%-%?]', '%%%0')
  lua = string.gsub(string.gsub(lua, '%*', '[^.]+'), '#', '.*')
  return string.find(topic, '^' .. lua .. '$') ~= nil
end

-- The queue that an exchange leads to.
local function queue_of(exchange, topic)
  if exchange == '' then return topic end
  for _, member in ipairs(call('SMEMBERS', ARGV[3] .. exchange)) do
    local key, regex, queue = string.match(member, '^(.-)\6\022(.-)\6\022(.*)$')
    if queue and (key == topic or regex ~= '' and matches(key, topic)) then return queue end
  end
end

local function recover(tag)
  local held = call('HGET', keys.unacked, tag)
  call('HDEL', keys.unacked, tag)
  call('ZREM', keys.index, tag)
  if not held then return 0 end
  local raw, exchange, topic = string.match(held, '^%[(.*), ("[^"]*"), ("[^"]*")%]$')
  if not raw then return bury(KEYS[5], held, 'held in a form that is not kombu\'s', 0) end
  local queue = queue_of(unpack(cjson.decode('[' .. exchange .. ',' .. topic .. ']')))
  if not queue then return bury(KEYS[5], raw, 'no queue is bound to its exchange', 0) end
  -- Nobody says whether its run had begun.
  suspect(keys, tag)
  let_off(keys, tag, 'died')
  restore(keys, ARGV[1], KEYS[5], tag, '[' .. raw .. ', "", ' .. cjson.encode(queue) .. ']')
end

local recovered = 0
for _, tag in ipairs(call('ZRANGEBYSCORE', keys.index, '-inf', now() - tonumber(ARGV[2]), 'LIMIT', 0, 100)) do
  -- What one of ours holds comes back when its signs of life end.
  if call('HEXISTS', keys.holders, tag) == 0 then
    recover(tag)
    recovered = recovered + 1
  end
end
return recovered
