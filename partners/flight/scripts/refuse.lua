-- ARGV: key, refusal, note. Closes a key never seen; a known one stays, but for its first note.

local key, refusal, note = unpack(ARGV)
local known = redis.call('EXISTS', reservation_of(key)) == 1
local noted = take_note(key, note)

if not known then
  redis.call('HSET', reservation_of(key), 'refusal', refusal)
  set_status(key, 'released')
elseif noted then
  changed(key)
end
return answer('ok', key)
