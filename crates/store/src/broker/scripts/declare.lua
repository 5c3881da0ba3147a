-- Names the bindings of queues.
-- KEYS: queues, then the sets
-- ARGV: what each of these is to hold
-- RETURNS: nothing

go_on_when_full(KEYS[1])
for i, member in ipairs(ARGV) do redis.call('SADD', KEYS[i + 1], member) end
