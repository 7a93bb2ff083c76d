-- ARGV: key, and the note if there is one. A key never seen is closed all the same, so that a late hold is
-- refused.

local key, note = unpack(ARGV)
local status = redis.call('HGET', reservation_of(key), 'status')
local noted = take_note(key, note)

if status == 'held' or status == 'confirmed' then
  count(key, status, -1)
end
if status ~= 'released' then
  set_status(key, 'released')
elseif noted then
  changed(key)
end
return answer('ok', key)
