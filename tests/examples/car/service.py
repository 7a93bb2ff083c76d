"""The service that `python -m partners car` runs."""

from partners.stock.service import Item, stock_service

from .declaration import STAY

service = stock_service(
    STAY,
    {
        "KYO-COMPACT": Item(price_minor=7_000, units_a_day=30),
        "KYO-VAN": Item(price_minor=15_000, units_a_day=2),
        "BENCH-CAR": Item(price_minor=100, units_a_day=10_000_000),
    },
)
