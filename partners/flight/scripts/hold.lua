-- ARGV: key, flight_no, date, seats, reference, hold in milliseconds, and the note if there is one.
-- Answers known | not_found | sold_out | ok.

local key, flight_no, date, seats, reference, hold_ms, note = unpack(ARGV)
seats = tonumber(seats)

if settled(key) then
  if take_note(key, note) then
    changed(key)
  end
  return answer('known', key)
end

local flight = redis.call('HMGET', prefix .. 'flight:' .. flight_no, 'price_minor', 'currency', 'seats')
if not flight[1] then
  return answer('not_found', key)
end

local day = flight_no .. '/' .. date
local counters = prefix .. 'day:' .. day
local stock = redis.call('HMGET', counters, 'total', 'held', 'confirmed')
local free = (stock[1] or flight[3]) - (stock[2] or 0) - (stock[3] or 0)
if free < seats then
  return answer('sold_out', key)
end

if not stock[1] then
  redis.call('HSET', counters, 'id', flight_no, 'date', date, 'total', flight[3], 'held', 0, 'confirmed', 0)
  redis.call('ZADD', prefix .. 'days', 0, day)
end
local expires_at = now() + hold_ms
redis.call('HSET', reservation_of(key), 'reference', reference, 'flight_no', flight_no, 'date', date,
  'day', day, 'seats', seats, 'amount_minor', flight[1] * seats, 'currency', flight[2],
  'expires_at', string.format('%d', expires_at))
take_note(key, note)
set_status(key, 'held')
redis.call('ZADD', prefix .. 'due', expires_at, key)
count(key, 'held', 1)
return answer('ok', key)
