-- ARGV: key. A key never seen is closed all the same, so that a late hold is refused.

local key = ARGV[1]
local status = redis.call('HGET', reservation_of(key), 'status')

if status == 'held' or status == 'confirmed' then
  count(key, status, -1)
end
if status ~= 'released' then
  set_status(key, 'released')
end
return answer('ok', key)
