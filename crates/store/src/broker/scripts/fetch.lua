-- Takes the next message into flight.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, holders, dead, workers, then the lists in their order
-- ARGV: worker id, how often a message may be fetched
-- RETURNS: {how many became dead letters, seconds since the epoch, message, delivery tag, how often it was fetched}; the
-- last three are missing when the lists are empty

local keys, dead = flight(), KEYS[6]
local buried = 0
for i = 8, #KEYS do
  while buried < 100 do
    local raw = redis.call('RPOP', KEYS[i])
    if not raw then break end
    local message, wrong = read(raw)
    if message and redis.call('HEXISTS', keys.unacked, message.tag) == 1 then
      wrong = 'its delivery_tag is in flight already'
    end
    if wrong then
      bury(dead, raw, wrong, 0)
      buried = buried + 1
    else
      local deliveries = redis.call('HINCRBY', keys.deliveries, message.tag, 1)
      if deliveries > tonumber(ARGV[2]) then
        redis.call('HDEL', keys.deliveries, message.tag)
        bury(dead, raw, 'fetched ' .. ARGV[2] .. ' times without an end', deliveries - 1)
        buried = buried + 1
      else
        redis.call('ZADD', keys.index, now(), message.tag)
        redis.call('HSET', keys.unacked, message.tag, hold(raw, message))
        redis.call('HSET', keys.holders, message.tag, ARGV[1])
        redis.call('SADD', keys.inflight, message.tag)
        -- With the first message that it holds, so that it is found whenever it dies.
        redis.call('SADD', KEYS[7], ARGV[1])
        return { buried, tostring(now()), raw, message.tag, deliveries }
      end
    end
  end
end
return { buried, tostring(now()) }
