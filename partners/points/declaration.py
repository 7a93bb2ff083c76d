"""The points partner's declaration."""

from typing import Annotated

from pydantic import Field

from partners.declaration import Declaration
from serving.fields import WHOLE, Body, Identifier


class PointsRedemption(Body):
    """Points that a member redeems, out of the household's when the member's own run out."""

    member_id: Identifier
    redeem: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000), WHOLE]


POINTS = Declaration(
    name="points",
    title="Points: redeemed by a member and household",
    port=8104,
    engine="falkordb",
    body=PointsRedemption,
)
