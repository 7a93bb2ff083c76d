"""The points partner: members, their households and their points, in a graph database."""

from partners.points.body import PointsRedemption
from partners.points.open import open_points
from partners.redis import ENGINE_ERRORS
from partners.service import PartnerService

service = PartnerService(
    name="points",
    title="Points: redeemed by a member and household",
    body=PointsRedemption,
    engine_errors=ENGINE_ERRORS,
    open=open_points,
)
