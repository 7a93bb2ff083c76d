"""The service that `python -m partners tour` runs."""

from partners.stock.service import Item, stock_service
from partners.tour.declaration import STAY

service = stock_service(
    STAY,
    {
        "KYOTO-WALK": Item(price_minor=5_000, units_a_day=60),
        "FUJI-HIKE": Item(price_minor=12_000, units_a_day=20),
        "BENCH-TOUR": Item(price_minor=100, units_a_day=10_000_000),
    },
)
