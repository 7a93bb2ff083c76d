-- ARGV: key. Leaves alone what is not held, or no longer.

local key = ARGV[1]

if status_of(key) == 'held' then
  count(key, 'held', -1)
  count(key, 'confirmed', 1)
  set_status(key, 'confirmed')
end
return answer('ok', key)
