-- ARGV: how many at most. Answers the keys of the holds that were given back.

local due = redis.call('ZRANGEBYSCORE', prefix .. 'due', '-inf', now(), 'LIMIT', 0, ARGV[1])
for _, key in ipairs(due) do
  expire(key)
end
return due
