-- Ends flights: stores the results, sends what is to be sent, and acknowledges, also when Redis is full. Does nothing for a
-- message that the worker does not hold, nor for one whose end cannot be kept.
-- KEYS: unacked, unacked_index, holders, deliveries, delayed, delayed_body, delayed_count, dead
-- ARGV: worker id, seconds that a result is kept, then of each flight: delivery tag, key of the result, document or '', how
-- many things are to be sent or kept, then of each of these: list, message, '' or: delivery tag, message, seconds until it
-- is due, or: key of another result, document, 'result', or: key of a group, size of its chord and saved structure with a
-- space between, 'begin', or: key of a group, '', 'end', or: how often the message was fetched, the reason, 'dead'
-- RETURNS: of each flight 1, or 0 when the message was not held, or why it could not be ended

local keys, delayed, dead = flight(), { due = KEYS[5], held = KEYS[6], counts = KEYS[7] }, KEYS[8]
local worker, kept, call = ARGV[1], ARGV[2], redis.call

go_on_when_full(KEYS[1])

local tags, places = {}, {}
local at = 3
while at <= #ARGV do
  tags[#tags + 1], places[#places + 1] = ARGV[at], at
  at = at + 4 + 3 * tonumber(ARGV[at + 3])
end

-- Celery remembers for so long that a chord is done, for a header task that comes again.
local DONE = 300

local function later() need_delayed(delayed) end
local needs = {
  [''] = function(list) need('list', list) end,
  result = function(key) need('string', key) end,
  begin = function() end,
  ['end'] = function() end,
  dead = function() need_dead(dead) end,
}

local keep = {
  dead = function(deliveries, reason, tag)
    bury_held(dead, call('HGET', keys.unacked, tag), reason, tonumber(deliveries))
  end,
  result = function(key, document) store(key, document, kept) end,
  begin = function(group, chord)
    local size, structure = string.match(chord, '^(%d+) (.*)$')
    call('DEL', group .. '.c')
    call('SET', group .. '.s', size, 'EX', kept)
    if structure ~= '' then call('SET', group, structure, 'EX', kept) end
  end,
  ['end'] = function(group)
    call('DEL', group .. '.j', group .. '.t', group .. '.s', group .. '.d')
    call('SET', group .. '.c', 'done', 'EX', DONE)
  end,
}

-- The next attempt of a message waits as the message itself would.
local function again(tag, message, pause, parent)
  local _, suffix = read(message)
  if suffix and is_named(suffix) then
    local held = call('HGET', keys.unacked, parent)
    message = '[' .. message .. string.sub(held, #release(held) + 2)
  end
  delay(delayed, tag, message, now() + pause)
end

local function send(first, count, parent)
  for i = first, first + 3 * (count - 1), 3 do
    local what, value, how = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if how == '' then
      call('LPUSH', what, value)
    elseif keep[how] then
      keep[how](what, value, parent)
    else
      again(what, value, tonumber(how), parent)
    end
  end
end

local function check(first, count)
  for i = first, first + 3 * (count - 1), 3 do (needs[ARGV[i + 2]] or later)(ARGV[i]) end
end

local function apply(place)
  local key, document, first, count = ARGV[place + 1], ARGV[place + 2], place + 4, tonumber(ARGV[place + 3])
  if document ~= '' then need('string', key) end
  check(first, count)
  if document ~= '' then store(key, document, kept) end
  send(first, count, ARGV[place])
end

local holders = call('HMGET', keys.holders, unpack(tags))
-- Whatever is in `unacked` is in its index too, where it is small.
local held = call('ZMSCORE', keys.index, unpack(tags))
local answer, ended = {}, {}
for i, tag in ipairs(tags) do
  if holders[i] ~= worker or not held[i] then
    answer[i] = 0
  else
    local ok, wrong = pcall(apply, places[i])
    wrong = tostring(type(wrong) == 'table' and wrong.err or wrong)
    -- One that may not do this now may do it later, and again.
    if not ok and not string.find(wrong, 'WRONGTYPE', 1, true) then
      return redis.error_reply(string.match(wrong, '%u+ .*') or wrong)
    end
    answer[i] = ok and 1 or wrong
    if ok then ended[#ended + 1] = tag end
  end
end
if #ended > 0 then
  call('HDEL', keys.unacked, unpack(ended))
  call('HDEL', keys.holders, unpack(ended))
  call('ZREM', keys.index, unpack(ended))
  if call('EXISTS', keys.deliveries) == 1 then call('HDEL', keys.deliveries, unpack(ended)) end
end
return answer
