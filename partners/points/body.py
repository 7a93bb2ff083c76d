"""What a hold at the points partner asks for."""

from typing import Annotated

from pydantic import Field

from serving.fields import WHOLE, Body, Identifier


class PointsRedemption(Body):
    """Points that a member redeems, out of the household's where the member's own run out."""

    member_id: Identifier
    redeem: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000), WHOLE]
