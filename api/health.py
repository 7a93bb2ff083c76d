"""Whether the process lives, whether it can accept and serve, and whether each dependency answers."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.authentication import authenticated
from api.coordination import NotReady
from api.door import Door
from api.tokens.caller import Scope
from serving.client import ailment
from serving.one_flight import OneFlight
from trip.partner import Partner

log = logging.getLogger(__name__)

router = APIRouter(tags=["health"])
inside = authenticated(Scope.TRAVELLER, tags=["health"])

CHECK_TIMEOUT_S = 2.0
FRESH_S = 0.5
"""How long an answer stands. Nobody who asks more often learns, or costs, more."""

_NO_ANSWER = "no answer"

Checks = Mapping[str, Awaitable[None]]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What is needed, by name: `ok`, or what is wrong with it.

    What only the other coordination needs is named too, and may be out.
    """

    status: Literal["ok", "unavailable"]
    dependencies: dict[str, str]


class Looks:
    """The front door's looks at what it needs, each shared by all who ask."""

    def __init__(self, door: Door) -> None:
        self.readiness = OneFlight(lambda: _readiness(door), FRESH_S)
        self.partners = OneFlight(lambda: _partners(door), FRESH_S)


async def _looks(request: Request) -> Looks:
    looks: Looks = request.app.state.looks
    return looks


_SharedLooks = Annotated[Looks, Depends(_looks)]


@router.get("/healthz")
async def get_health() -> Health:
    """200 while the process lives."""
    return Health()


@router.get(
    "/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "One is out"}}
)
async def get_readiness(looks: _SharedLooks) -> JSONResponse:
    """Whether this front door can accept and serve; 503 with what is out by name.

    What partners do is no part of it. The answer is at most half a second old.
    """
    found = await looks.readiness.get()
    return JSONResponse(found.model_dump(), 200 if found.status == "ok" else 503)


@inside.get("/dependencies")
async def list_dependencies(looks: _SharedLooks) -> Readiness:
    """Every dependency by name, partners too. The answer is at most half a second old."""
    ready, partners = await asyncio.gather(looks.readiness.get(), looks.partners.get())
    are_well = ready.status == "ok" and all(state == "ok" for state in partners.values())
    return Readiness(
        status="ok" if are_well else "unavailable", dependencies={**ready.dependencies, **partners}
    )


async def _readiness(door: Door) -> Readiness:
    needed: dict[str, Awaitable[None]] = {"postgres": _postgres(door)}
    other: dict[str, Awaitable[None]] = {}
    for coordination, coordinator in door.coordinators.items():
        checks = needed if coordination == door.settings.coordination else other
        checks |= coordinator.checks()
    found = await _outcomes(needed | other)
    ready = all(found[name] == "ok" for name in needed)
    return Readiness(status="ok" if ready else "unavailable", dependencies=found)


async def _partners(door: Door) -> dict[str, str]:
    return await _outcomes({partner.value: _partner(door, partner) for partner in Partner})


async def _outcomes(checks: Checks) -> dict[str, str]:
    results = await asyncio.gather(*(_outcome(name, check) for name, check in checks.items()))
    return dict(zip(checks, results, strict=True))


async def _outcome(name: str, check: Awaitable[None]) -> str:
    """`ok`, or what is wrong. The answer names no address: it may be anybody who asks."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"
    except NotReady as error:
        return str(error)
    except Exception as error:
        log.warning("%s is not ready: %s", name, error)
        return _NO_ANSWER
    return "ok"


async def _postgres(door: Door) -> None:
    await door.pool.execute("select from trips limit 0")


async def _partner(door: Door, partner: Partner) -> None:
    if error := await ailment(door.partners[partner], CHECK_TIMEOUT_S):
        raise RuntimeError(error)
