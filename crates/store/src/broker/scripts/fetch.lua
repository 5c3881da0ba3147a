-- Takes the next messages into flight.
-- KEYS: unacked, unacked_index, holders, deliveries, dead, workers, paused, revoked, then the lists: those of all queues for
-- the first priority, those for the second...
-- ARGV: worker id, how many at most, how many bytes at most (but one message, however large), then the queues
-- RETURNS: {seconds since the epoch, how many became dead letters, until when the newest revoke is remembered, then of each:
-- message, delivery tag, how often workers have died of it, perhaps, the number of its queue from 1 on}

local LISTS = 9
-- Far below the some thousand values that Lua can hand to one command; and they are looked at before they are taken.
local CHUNK_MAX = 64
local keys, worker, dead, call = flight(), ARGV[1], KEYS[5], redis.call
need_dead(dead)
need('set', KEYS[6], KEYS[7])
need('zset', KEYS[8])
go_on_when_full(keys.unacked)
local wanted, bytes = tonumber(ARGV[2]), tonumber(ARGV[3])
local all_wanted, all_bytes = wanted, bytes
local queues = #ARGV - 3
local paused = call('SMISMEMBER', KEYS[7], unpack(ARGV, 4))
local time = now()
-- Whole seconds are stored and compared at a third of the cost; late rather than early.
local score = math.ceil(time)
local buried, full, wrong, answer = 0, false, nil, { tostring(time), 0, '0' }

local function bury_unheld(raw, reason, queue)
  bury(dead, raw, reason, 0, queue)
  buried = buried + 1
end

-- How many of the last ones of a list there is room for, and whether that is all of them.
local function fitting(raws)
  local room, none_yet = bytes, wanted == all_wanted
  for n = 1, #raws do
    room = room - #raws[#raws + 1 - n]
    if room < 0 and not (none_yet and n == 1) then return n - 1, false end
  end
  return #raws, true
end

-- The last `count` of a list, the last one first.
local function take(raws, count, number)
  local queue = ARGV[3 + number]
  local tags, taken, suffixes, seen = {}, {}, {}, {}
  for n = 1, count do
    local raw = raws[#raws + 1 - n]
    local tag, suffix = read(raw)
    if not tag then
      bury_unheld(raw, suffix)
    elseif seen[tag] then
      bury_unheld(raw, 'its delivery_tag is in flight already', queue)
    else
      -- Who puts it back finds no binding for an exchange, but the queue.
      if is_named(suffix) then suffix = ', "", ' .. cjson.encode(queue) .. ']' end
      local n = #tags + 1
      tags[n], taken[n], suffixes[n], seen[tag] = tag, raw, suffix, true
    end
  end
  if #tags == 0 then return end
  local before = call('HMGET', keys.unacked, unpack(tags))
  local counts = call('EXISTS', keys.deliveries) == 1 and call('HMGET', keys.deliveries, unpack(tags)) or {}
  local held, index, holders, at, to = {}, {}, {}, 0, #answer
  for i, tag in ipairs(tags) do
    local raw = taken[i]
    if before[i] then
      bury_unheld(raw, 'its delivery_tag is in flight already', queue)
    else
      held[at + 1], held[at + 2] = tag, '[' .. raw .. suffixes[i]
      index[at + 1], index[at + 2] = score, tag
      holders[at + 1], holders[at + 2] = tag, worker
      answer[to + 1], answer[to + 2], answer[to + 3], answer[to + 4] = raw, tag, suspicion(counts[i]) or 0, number
      at, to, bytes, wanted = at + 2, to + 4, bytes - #raw, wanted - 1
    end
  end
  if at == 0 then return end
  call('HSET', keys.unacked, unpack(held))
  call('ZADD', keys.index, unpack(index))
  call('HSET', keys.holders, unpack(holders))
end

-- A list of another kind keeps no other from being served.
local function peek(list, count)
  local raws = redis.pcall('LRANGE', list, -count, -1)
  if raws.err then wrong = raws end
  return raws
end

for i = LISTS, #KEYS do
  local number = (i - LISTS) % queues + 1
  if paused[number] == 0 then
    -- Few at first, for they may be large.
    local chunk = 1
    while wanted > 0 and not full and buried < 100 do
      local raws = peek(KEYS[i], math.min(wanted, chunk))
      if #raws == 0 then break end
      local count, all = fitting(raws)
      full = not all
      call('LTRIM', KEYS[i], 0, -count - 1)
      take(raws, count, number)
      local mean = (all_bytes - bytes) / math.max(1, all_wanted - wanted)
      chunk = math.max(1, math.min(chunk * 8, CHUNK_MAX, math.floor(bytes / math.max(1, mean))))
    end
  end
end
if wrong and #answer == 3 and buried == 0 then return wrong end
if #answer > 3 then
  -- With the first message that it holds, so that it is found whenever it dies.
  call('SADD', KEYS[6], worker)
  answer[3] = call('ZREVRANGE', KEYS[8], 0, 0, 'WITHSCORES')[2] or '0'
end
answer[2] = buried
return answer
