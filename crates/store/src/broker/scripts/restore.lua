-- Puts messages in flight back on their lists, at the end that is served next, the first of them first. Those that a worker
-- has died of a second time wait before: what was begun together would die together again, of one of them.
-- KEYS: unacked, unacked_index, holders, deliveries, delayed, delayed_body, delayed_count, dead, heartbeat of the worker
-- ARGV: worker id, prefix of the lists, 'left' (by the worker itself, the fetch is not counted) or 'died' (nothing is
-- done when the worker turns out to be alive), how many deaths are the end, how many seconds the wait after the second is at
-- most, which doubles with each further one, a chance from 0 to 1, the delivery tags
-- RETURNS: how many

local TAGS = 7
local keys, delayed, dead = flight(), { due = KEYS[5], held = KEYS[6], counts = KEYS[7] }, KEYS[8]
need_delayed(delayed)
need_dead(dead)
local worker, prefix, reason = ARGV[1], ARGV[2], ARGV[3]
local deaths_max, pause, chance = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if reason == 'died' and redis.call('EXISTS', KEYS[9]) == 1 then return 0 end

-- Multiples of the golden section fall far from each other.
local function wait(deaths, i) return pause * 2 ^ (deaths - 2) * ((chance + i * 0.618034) % 1) end

local restored = 0
for i = #ARGV, TAGS, -1 do
  local tag = ARGV[i]
  local held = let_go(keys, worker, tag)
  if held then
    local deaths = let_off(keys, tag, reason)
    if deaths > 1 and deaths < deaths_max then
      delay(delayed, tag, held, now() + wait(deaths, i))
    else
      restore(keys, prefix, dead, tag, held)
    end
    restored = restored + 1
  end
end
return restored
