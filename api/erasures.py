"""An operator takes a traveller out of the trips that have ended."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from api.authentication import ANY_CALL, CurrentCaller, authenticated
from api.coordination import Coordinator, CoordinatorAway
from api.door import OpenDoor
from api.tokens.caller import Scope
from calling.erasing import PartnerAway, erase_at_partners
from record.erasure import Forget, erase
from serving.client import HttpClient
from serving.fields import Body, Identifier
from serving.problems import documented
from trip.partner import Partner

_AWAY = {"temporal_unavailable": 503, "partner_unavailable": 503}

router = authenticated(Scope.OPERATOR, prefix="/erasures", tags=["erasures"])


def forgetting(temporal: Coordinator, partners: Mapping[Partner, HttpClient]) -> Forget:
    """How Temporal and the partners forget. Both raise CoordinatorAway."""

    async def reservations(keys: Mapping[str, Sequence[Partner]]) -> None:
        try:
            await erase_at_partners(partners, keys)
        except PartnerAway as error:
            raise CoordinatorAway("partner_unavailable", str(error)) from error

    return Forget(temporal.forget, reservations)


class Erasure(Body):
    """Whose trips; the case of the address does not matter."""

    email: Annotated[Identifier, Field(examples=["ada@example.com"])]


class Erased(BaseModel):
    """How many trips the traveller was taken out of, and how many have not ended and are left as they are."""

    erased: int
    not_ended: int


@router.post("", responses=documented(408, 413, 415, 422, broken_json=422, **_AWAY, **ANY_CALL))
async def erase_traveller(door: OpenDoor, caller: CurrentCaller, body: Erasure) -> Erased:
    """Take the traveller out of every trip of the tenant that has ended. It can be repeated."""
    forget = forgetting(door.coordinators["orchestration"], door.partners)
    done = await erase(door.pool, body.email, caller.tenant, forget)
    return Erased(erased=done.erased, not_ended=done.not_ended)
