-- ARGV: key, source, word. Answers all words heard of the key; the first of a source stays.

local key, source, word = unpack(ARGV)
local heard = prefix .. 'heard:' .. key

redis.call('HSETNX', heard, source, word)
return redis.call('HGETALL', heard)
