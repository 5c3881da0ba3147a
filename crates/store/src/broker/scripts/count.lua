-- Notes the result of a task in the header of a chord, once however often it is noted, and hands the chord to whoever
-- completes it: the same task gets it again should its worker die before it could send the body. As Celery counts, on
-- Celery's keys, so that both kinds of worker may work on one header.
-- KEYS: the saved structure of the group, its .j (results by place), .t (more to wait for), .s (size), .d (who was counted)
-- and .c (who completes it), then unacked
-- ARGV: task and place, place, result, seconds that all of this is kept
-- RETURNS: nothing while it is not complete, or another has it, or there is no such chord; else {structure or '', the
-- results in their order}

local group, results, more, size, counted, claim = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local member, kept, call = ARGV[1], ARGV[4], redis.call
need('zset', results)
need('set', counted)
need('string', group, more, size, claim)
go_on_when_full(KEYS[7])
if call('GET', claim) == 'done' then return nil end
if call('SADD', counted, member) == 1 then call('ZADD', results, ARGV[2], ARGV[3]) end
for _, key in ipairs({ group, results, more, size, counted }) do call('EXPIRE', key, kept) end
local waits_for = call('GET', size)
if not waits_for or call('ZCARD', results) ~= tonumber(waits_for) + tonumber(call('GET', more) or 0) then return nil end
if not call('SET', claim, member, 'NX', 'EX', kept) and call('GET', claim) ~= member then return nil end
return { call('GET', group) or '', call('ZRANGE', results, 0, -1) }
