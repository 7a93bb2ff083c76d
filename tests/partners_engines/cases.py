"""Partners on every kind of engine, with a body of which only `fits` holds fit, and a view of the stock."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from partners.flight import service as flight
from partners.flight.declaration import FlightSeats
from partners.hotel import service as hotel
from partners.hotel.declaration import HotelStay
from partners.points import service as points
from partners.points.declaration import PointsRedemption
from partners.service import PartnerService
from tests.examples.car import service as car
from tests.examples.car.declaration import CarRental


@dataclass(frozen=True)
class Case:
    """`stock` counts the held and the confirmed holds of `body` by the engine's own sums."""

    service: PartnerService[Any]
    body: Any
    fits: int
    plenty: Any
    stock: Callable[[Any], Awaitable[tuple[float, float]]]


def _units(item: str, units: int) -> Callable[[Any], Awaitable[tuple[float, float]]]:
    """The stock of a stay's item, in holds of so many units."""

    async def stock(store: Any) -> tuple[float, float]:
        rows = [row for row in await store.inventory(500, None) if row.id == item]
        assert all(row.total == row.free + row.held + row.confirmed for row in rows)
        # A stay of several days holds all of them or none.
        assert len({(row.held, row.confirmed) for row in rows}) <= 1
        return (rows[0].held / units, rows[0].confirmed / units) if rows else (0, 0)

    return stock


async def _household(store: Any) -> tuple[float, float]:
    own, other = await store.member("M-1002"), await store.member("M-1003")
    held, balance = own.held + other.held, own.balance + other.balance
    return held / 700, (2_100 - balance) / 700


DAYS = {"check_in": "2100-01-01", "check_out": "2100-01-04"}
RENTED = {"pick_up": "2100-01-01", "return_by": "2100-01-04"}

CASES = [
    Case(
        hotel.service,
        HotelStay.model_validate({"hotel_id": "KYO-RYOKAN", "rooms": 20, **DAYS}),
        fits=2,
        plenty=HotelStay.model_validate({"hotel_id": "BENCH-HOTEL", "rooms": 1, **DAYS}),
        stock=_units("KYO-RYOKAN", 20),
    ),
    Case(
        flight.service,
        FlightSeats.model_validate({"flight_no": "NH847", "date": "2100-01-01", "seats": 20}),
        fits=10,
        plenty=FlightSeats.model_validate({"flight_no": "BENCH-FLIGHT", "date": "2100-01-01", "seats": 1}),
        stock=_units("NH847", 20),
    ),
    Case(
        car.service,
        CarRental.model_validate({"car_id": "KYO-VAN", "cars": 1, **RENTED}),
        fits=2,
        plenty=CarRental.model_validate({"car_id": "BENCH-CAR", "cars": 1, **RENTED}),
        stock=_units("KYO-VAN", 1),
    ),
    Case(
        points.service,
        PointsRedemption(member_id="M-1002", redeem=700),
        fits=3,
        plenty=PointsRedemption(member_id="BENCH-MEMBER", redeem=1),
        stock=_household,
    ),
]
