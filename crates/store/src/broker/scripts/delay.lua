-- Moves a message from flight to the delayed ones; the fetch is not counted.
-- KEYS: unacked, unacked_index, holders, deliveries, delayed, delayed_body, delayed_count
-- ARGV: worker id, delivery tag, 'at' or 'in', when it is due: in seconds since the epoch, or from now
-- RETURNS: 1, or 0 when the message was not held

local keys, delayed = flight(), { due = KEYS[5], held = KEYS[6], counts = KEYS[7] }
need_delayed(delayed)
local held = let_go(keys, ARGV[1], ARGV[2])
if not held then return 0 end
delay(delayed, ARGV[2], held, ARGV[3] == 'at' and ARGV[4] or now() + tonumber(ARGV[4]))
return 1
