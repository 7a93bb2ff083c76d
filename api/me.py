"""Who a token makes its holder."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.authentication import CurrentCaller, authenticated
from api.door import OpenDoor
from api.tokens.caller import Scope

router = authenticated(Scope.TRAVELLER, tags=["access"])


class Me(BaseModel):
    """Whom a token stands for, whether there are a lab, a broker and a codec, and where Temporal's UI is."""

    tenant: str
    scope: Annotated[Scope, Field(description="the one of `scopes` that says most")]
    scopes: list[Scope]
    name: str
    lab: bool
    broker: bool
    codec: bool
    temporal_ui: str


@router.get("/me")
async def get_me(door: OpenDoor, caller: CurrentCaller) -> Me:
    """Whom the caller's token stands for."""
    return Me(
        tenant=caller.tenant,
        scope=caller.scope,
        scopes=[scope for scope in Scope if scope in caller.scopes],
        name=caller.name,
        lab=door.settings.lab,
        broker=door.broker is not None,
        codec=door.codec is not None,
        temporal_ui=door.temporal_ui,
    )
