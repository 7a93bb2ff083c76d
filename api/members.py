"""Whose points a caller may redeem, if TRIPS_MEMBERS is `own`."""

from fastapi.responses import JSONResponse

from api.door import Door
from api.tokens.caller import Caller
from record import members
from serving.problems import FieldError, problem
from trip.order import TripOrder

FORBIDDEN = "member_forbidden"


async def refuse_member(order: TripOrder, door: Door, caller: Caller) -> JSONResponse | None:
    """The refusal of an order that redeems points of a member who is neither the token's nor the tenant's.

    Raises RecordAway.
    """
    member_id = order.traveller.member_id
    if door.settings.members == "any" or order.points is None or member_id is None:
        return None
    if member_id in caller.members or await members.is_of(door.pool, caller.tenant, member_id):
        return None
    remedy = "not a member whose points you may redeem; leave points out, or have the member added"
    errors = [FieldError(field="traveller.member_id", message=remedy)]
    return problem(403, FORBIDDEN, f"traveller.member_id: {remedy}", errors)
