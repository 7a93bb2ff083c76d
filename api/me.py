"""The call that tells a token's holder who it makes them."""

from fastapi import Request
from pydantic import BaseModel

from api.authentication import guarded
from api.caller import caller_of
from api.door import door_of
from api.tokens.caller import Scope

router = guarded(Scope.TRAVELLER, tags=["access"])


class Me(BaseModel):
    """Whom the token stands for; whether faults can be injected here, and where Temporal's UI is."""

    tenant: str
    scope: Scope
    name: str
    lab: bool
    temporal_ui: str


@router.get("/me")
async def get_me(request: Request) -> Me:
    """Whom this token stands for."""
    caller, door = caller_of(request), door_of(request)
    return Me(
        tenant=caller.tenant,
        scope=caller.scope,
        name=caller.name,
        lab=door.settings.lab,
        temporal_ui=door.temporal_ui,
    )
