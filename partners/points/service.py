"""The service that `python -m partners points` runs."""

from partners.points.declaration import POINTS
from partners.points.open import open_points
from partners.redis import ENGINE_ERRORS
from partners.service import PartnerService

service = PartnerService(
    declaration=POINTS,
    engine_errors=ENGINE_ERRORS,
    open=open_points,
)
