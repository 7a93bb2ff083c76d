"""Who a token makes its holder."""

from pydantic import BaseModel

from api.authentication import CurrentCaller, authenticated
from api.door import OpenDoor
from api.tokens.caller import Scope

router = authenticated(Scope.TRAVELLER, tags=["access"])


class Me(BaseModel):
    """Whom a token stands for, whether the lab is on, and where Temporal's UI is."""

    tenant: str
    scope: Scope
    name: str
    lab: bool
    temporal_ui: str


@router.get("/me")
async def get_me(door: OpenDoor, caller: CurrentCaller) -> Me:
    """Whom the caller's token stands for."""
    return Me(
        tenant=caller.tenant,
        scope=caller.scope,
        name=caller.name,
        lab=door.settings.lab,
        temporal_ui=door.temporal_ui,
    )
