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

-- What a verb answers: a code, the engine's clock and the reservation, all of the same moment.
local function answer(code, key)
  return {code, now(), redis.call('HGETALL', reservation_of(key))}
end

-- Give the row a note if it has none: from then on it takes part. Says whether that changed the row.
local function take_note(key, note)
  return note and redis.call('HSETNX', reservation_of(key), 'note', note) == 1
end

-- Each change leaves a row that takes part untold. Those left longest come first.
local function changed(key)
  if redis.call('HEXISTS', reservation_of(key), 'note') == 1 then
    redis.call('HINCRBY', reservation_of(key), 'seq', 1)
    redis.call('ZADD', prefix .. 'untold', now(), key)
  end
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
  changed(key)
end

-- Add seats to one counter of the reservation's day; a negative number takes them away.
local function count(key, counter, sign)
  local found = redis.call('HMGET', reservation_of(key), 'day', 'seats')
  redis.call('HINCRBY', prefix .. 'day:' .. found[1], counter, sign * found[2])
end

local function expire(key)
  count(key, 'held', -1)
  set_status(key, 'expired')
end

-- The status; nil for a key never seen. A hold past its time is given back first, swept or not.
local function settled(key)
  local found = redis.call('HMGET', reservation_of(key), 'status', 'expires_at')
  if found[1] == 'held' and tonumber(found[2]) <= now() then
    expire(key)
    return 'expired'
  end
  return found[1] or nil
end
