"""The tour partner's SQL.

Every statement locks a reservation first and a departure last, so that they cannot deadlock; the sweep
takes only reservations that nobody else has, and gives way to a sweep that is under way.
"""

from partners.postgres import Statements
from partners.tour.declaration import TourSeats

# The insert of the key wins or loses. A departure without room fails its check and takes the reservation
# back with it; a key that is known, or a tour that is not, yields no row.
HOLD = """
WITH won AS (
    INSERT INTO tour.reservations
           (key, status, reference, tour_id, day, seats, amount_minor, currency, expires_at)
    SELECT $1, 'held', $2, id, $5::date, $6::bigint, price_minor * $6::bigint, currency,
           now() + make_interval(secs => $3)
    FROM tour.tours WHERE id = $4
    ON CONFLICT (key) DO NOTHING
    RETURNING *
), taken AS (
    INSERT INTO tour.departures AS departure (tour_id, day, total, held)
    SELECT won.tour_id, won.day, tours.seats_a_day, won.seats
    FROM won JOIN tour.tours ON tours.id = won.tour_id
    ON CONFLICT (tour_id, day) DO UPDATE SET held = departure.held + excluded.held
)
SELECT * FROM won
"""

CONFIRM = """
WITH won AS (
    UPDATE tour.reservations SET status = 'confirmed'
    WHERE key = $1 AND status = 'held' AND expires_at > now()
    RETURNING *
), moved AS (
    UPDATE tour.departures AS departure
    SET held = departure.held - won.seats, confirmed = departure.confirmed + won.seats
    FROM won WHERE (departure.tour_id, departure.day) = (won.tour_id, won.day)
)
SELECT * FROM won
"""

# The insert closes a key never seen; it waits for a hold that is under way and then ends that one. That
# hold may have made the departure too, later than this statement's snapshot: an update would miss the row,
# an insert in conflict with it does not.
RELEASE = """
WITH won AS (
    INSERT INTO tour.reservations AS reservation (key, status) VALUES ($1, 'released')
    ON CONFLICT (key) DO UPDATE SET status = 'released', was = reservation.status
    WHERE reservation.status <> 'released'
    RETURNING *
), given_back AS (
    INSERT INTO tour.departures AS departure (tour_id, day, total)
    SELECT tour_id, day, seats FROM won WHERE was IN ('held', 'confirmed')
    ON CONFLICT (tour_id, day) DO UPDATE
    SET held = departure.held - (SELECT CASE was WHEN 'held' THEN seats ELSE 0 END FROM won),
        confirmed = departure.confirmed - (SELECT CASE was WHEN 'confirmed' THEN seats ELSE 0 END FROM won)
)
SELECT * FROM won
"""

EXPIRE = """
WITH due AS (
    SELECT key FROM tour.reservations
    WHERE status = 'held' AND expires_at <= now()
      AND (SELECT pg_try_advisory_xact_lock(hashtext('partners.tour.sweep')))
    ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
), gone AS (
    UPDATE tour.reservations AS reservation SET status = 'expired'
    FROM due WHERE reservation.key = due.key
    RETURNING reservation.key, reservation.tour_id, reservation.day, reservation.seats
), given_back AS (
    UPDATE tour.departures AS departure SET held = departure.held - freed.seats
    FROM (SELECT tour_id, day, sum(seats) AS seats FROM gone GROUP BY tour_id, day) AS freed
    WHERE (departure.tour_id, departure.day) = (freed.tour_id, freed.day)
)
SELECT key FROM gone
"""

INVENTORY = """
SELECT tour_id AS id, day AS date, total, total - held - confirmed AS free, held, confirmed
FROM tour.departures
WHERE $1::text IS NULL OR (tour_id, day) > ($1, $2::date)
ORDER BY tour_id, day LIMIT $3
"""

TOUR = Statements[TourSeats](
    table="tour.reservations",
    prefix="TOUR",
    columns=("tour_id", "day", "seats"),
    values=lambda body: (body.tour_id, body.date, body.seats),
    hold=HOLD,
    confirm=CONFIRM,
    release=RELEASE,
    expire=EXPIRE,
)
