-- ARGV: key. Confirms what is held; a hold past its time is given back, and all else is left alone.

local key = ARGV[1]

if settled(key) == 'held' then
  count(key, 'held', -1)
  count(key, 'confirmed', 1)
  set_status(key, 'confirmed')
end
return answer('ok', key)
