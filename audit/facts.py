"""What one look at the system has found. Everything in here is plain data; nothing is judged yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from pydantic import AwareDatetime, ConfigDict, StrictInt
from pydantic.dataclasses import dataclass as checked_dataclass

from partners.catalogue import STAYS
from serving.fields import Identifier
from temporal.workflows import WorkflowState
from trip.partner import Partner, ReservationStatus
from trip.trip import FINAL_STATUSES, StepStatus, TripStatus

Claims = tuple[tuple[str, int], ...]
"""The rows of a partner's stock that a reservation takes from, and how many units of each."""

STOCK_PARTNERS = tuple(Partner(stay.name) for stay in STAYS)
_OF_TRIPS, _OF_STEPS = frozenset(TripStatus), frozenset(StepStatus)
ACTIVE = frozenset({ReservationStatus.HELD, ReservationStatus.CONFIRMED})

_READ = ConfigDict(extra="ignore")


@checked_dataclass(frozen=True, slots=True, config=_READ)
class SeenReservation:
    """A reservation as its partner lists it; `amount_minor` is in minor units, negative for points."""

    key: Identifier
    status: ReservationStatus
    reference: Identifier | None = None
    amount_minor: StrictInt | None = None
    currency: Identifier | None = None
    expires_at: AwareDatetime | None = None


@checked_dataclass(frozen=True, slots=True, config=_READ)
class StockRow:
    """One row of `GET /inventory`."""

    id: Identifier
    date: date
    total: StrictInt
    free: StrictInt
    held: StrictInt
    confirmed: StrictInt

    @property
    def name(self) -> str:
        """The name that claims use for the row."""
        return row_name(self.id, self.date)


@checked_dataclass(frozen=True, slots=True, config=_READ)
class Member:
    """One row of `GET /members`; points."""

    member_id: Identifier
    balance: StrictInt
    held: StrictInt
    opening: StrictInt


@checked_dataclass(frozen=True, slots=True, config=_READ)
class Account:
    """One row of `GET /ledger`; minor units of `currency`."""

    account: Identifier
    currency: Identifier
    balance_minor: StrictInt


def row_name(article: str, day: date) -> str:
    """How a row of stock is called, such as `NH847/2027-03-01`."""
    return f"{article}/{day}"


@dataclass(frozen=True, slots=True)
class StepFact:
    """A step of a trip, as its record has it. `status` may be one of another version's."""

    status: str
    reference: str | None
    amount_minor: int | None


@dataclass(frozen=True, slots=True)
class TripFact:
    """A trip, as its record has it, and what its order claims of each partner's stock.

    The statuses may be of another version. `unknown_minor` is the price of parts of which this one does not
    know the partner. `decided_at` is when a choreographed trip's row decided last. No workflow carries such a
    trip.
    """

    trip_id: str
    status: str
    shown_status: str
    version: int
    accepted_at: datetime
    updated_at: datetime
    started: bool
    deadline_s: int
    ordered: tuple[Partner, ...]
    claims: Mapping[Partner, Claims]
    steps: Mapping[Partner, StepFact]
    total_minor: int | None
    currency: str
    is_choreographed: bool = False
    decided_at: datetime | None = None
    unknown_minor: int = 0

    @property
    def is_known(self) -> bool:
        """Whether this version knows every status in it. Otherwise nobody can say what it should be."""
        return self.status in _OF_TRIPS and all(step.status in _OF_STEPS for step in self.steps.values())

    @property
    def is_final(self) -> bool:
        """Whether the trip has ended."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class PartnerFacts:
    """A partner's reservations by key, read before its counters and again after them.

    `unsound` says what is wrong with the rows that could not be read, by their names.
    """

    before: Mapping[str, SeenReservation]
    after: Mapping[str, SeenReservation]
    stock: Mapping[str, StockRow] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    accounts: tuple[Account, ...] = ()
    unsound: Mapping[str, str] = field(default_factory=dict)

    def moved(self, key: str) -> bool:
        """Whether the reservation was another one in the second read."""
        return self.before.get(key) != self.after.get(key)

    def every_key(self) -> Iterator[str]:
        """Every key seen in either read, once."""
        yield from self.after
        yield from (key for key in self.before if key not in self.after)


@dataclass(frozen=True)
class Facts:
    """One look. Its reads have an order on which the checks rest:

    the record (`trips`), then Temporal and each partner's reservations, counters and reservations again,
    then the record again: `versions` has each trip's status and version then, and trips accepted
    meanwhile are in `trips` and in `accepted_since`. `now` is the time at the record's database. `tallied`
    has, by partner and row, the units of confirmed reservations that are in no other part of the look.
    """

    now: datetime
    trips: Mapping[str, TripFact]
    unreadable: Mapping[str, str]
    accepted_since: frozenset[str]
    versions: Mapping[str, tuple[str, int]]
    partners: Mapping[Partner, PartnerFacts]
    workflows: Mapping[str, WorkflowState]
    tallied: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def reservation(self, partner: Partner, key: str) -> SeenReservation | None:
        """The reservation as the later read has it."""
        return self.partners[partner].after.get(key)

    def has_record(self, key: str) -> bool:
        """Whether the record knows the key, readable or not."""
        return key in self.versions or key in self.trips or key in self.unreadable

    def unchanged(self, trip: TripFact) -> bool:
        """Whether the record had the same trip in both reads."""
        return self.versions.get(trip.trip_id) == (trip.status, trip.version)

    def _at_rest(self, trip: TripFact) -> bool:
        moved = any(facts.moved(trip.trip_id) for facts in self.partners.values())
        return self._stood_still(trip) and not moved

    def _stood_still(self, trip: TripFact) -> bool:
        return trip.is_known and trip.trip_id not in self.accepted_since and self.unchanged(trip)

    @cached_property
    def settled(self) -> tuple[TripFact, ...]:
        """Trips that had ended before the look began and stood still throughout: these can be judged."""
        return tuple(trip for trip in self.trips.values() if trip.is_final and self._at_rest(trip))

    @cached_property
    def unfinished(self) -> tuple[TripFact, ...]:
        """Trips that were the same unfinished ones in both reads of the record."""
        return tuple(trip for trip in self.trips.values() if not trip.is_final and self._stood_still(trip))
