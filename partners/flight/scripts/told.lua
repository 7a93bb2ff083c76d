-- ARGV: a key and its seq, again and again. A row that has changed since then stays untold.

for place = 1, #ARGV, 2 do
  local key, seq = ARGV[place], ARGV[place + 1]
  if redis.call('HGET', reservation_of(key), 'seq') == seq then
    redis.call('ZREM', prefix .. 'untold', key)
  end
end
