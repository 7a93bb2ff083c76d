"""The service that `python -m partners tour` runs."""

from partners.service import PartnerService
from partners.tour.declaration import STAY
from partners.tour.store import open_tour
from serving.postgres import AWAY

service = PartnerService(
    declaration=STAY,
    engine_errors=AWAY,
    open=open_tour,
)
