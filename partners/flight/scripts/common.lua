-- What the scripts share. KEYS[1] is the prefix of all names.

local prefix = KEYS[1]

-- The engine's clock, in milliseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function reservation_of(key)
  return prefix .. 'reservation:' .. key
end

-- A hold past its time counts as expired even before it has been given back.
local function status_of(key)
  local found = redis.call('HMGET', reservation_of(key), 'status', 'expires_at')
  if found[1] == 'held' and tonumber(found[2]) <= now() then
    return 'expired'
  end
  return found[1] or nil
end

-- What a verb answers: a code, the engine's clock and the reservation, all of the same moment.
local function answer(code, key)
  return {code, now(), redis.call('HGETALL', reservation_of(key))}
end

-- Write the status, with every index that depends on it.
local function set_status(key, status)
  local before = redis.call('HGET', reservation_of(key), 'status')
  if before then
    redis.call('ZREM', prefix .. 'keys:' .. before, key)
  end
  redis.call('HSET', reservation_of(key), 'key', key, 'status', status)
  redis.call('ZADD', prefix .. 'keys', 0, key)
  redis.call('ZADD', prefix .. 'keys:' .. status, 0, key)
  if status ~= 'held' then
    redis.call('ZREM', prefix .. 'due', key)
  end
end

-- Add seats to one counter of the reservation's day; a negative number takes them away.
local function count(key, counter, sign)
  local found = redis.call('HMGET', reservation_of(key), 'day', 'seats')
  redis.call('HINCRBY', prefix .. 'day:' .. found[1], counter, sign * found[2])
end
