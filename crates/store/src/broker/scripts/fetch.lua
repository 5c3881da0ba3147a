-- Takes the next message into flight.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, dead, then the lists to look at in this order
-- ARGV: how often a message may be fetched
-- RETURNS: {message, delivery tag, how often it was fetched}, or nil when the lists are empty

local passed_over = 0
for i = 6, #KEYS do
  while passed_over < 100 do
    local raw = redis.call('RPOP', KEYS[i])
    if not raw then break end
    local message, wrong = read(raw)
    if message and redis.call('HEXISTS', KEYS[1], message.tag) == 1 then
      wrong = 'its delivery_tag is in flight already'
    end
    if wrong then
      bury(KEYS[5], raw, wrong, 0)
      passed_over = passed_over + 1
    else
      local deliveries = redis.call('HINCRBY', KEYS[4], message.tag, 1)
      if deliveries > tonumber(ARGV[1]) then
        redis.call('HDEL', KEYS[4], message.tag)
        bury(KEYS[5], raw, 'fetched ' .. ARGV[1] .. ' times without an end', deliveries - 1)
        passed_over = passed_over + 1
      else
        redis.call('ZADD', KEYS[2], now(), message.tag)
        redis.call('HSET', KEYS[1], message.tag, hold(raw, message))
        redis.call('SADD', KEYS[3], message.tag)
        return { raw, message.tag, deliveries }
      end
    end
  end
end
return nil
