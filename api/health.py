"""Whether the process lives, and whether each dependency answers."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.door import Door, OpenDoor
from serving.client import ailment
from trip.partner import Partner

router = APIRouter(tags=["health"])

CHECK_TIMEOUT_S = 2.0


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Every dependency: `ok`, or what is wrong with it."""

    status: Literal["ok", "unavailable"]
    dependencies: dict[str, str]


@router.get("/healthz")
async def get_health() -> Health:
    """200 while the process lives."""
    return Health()


@router.get(
    "/readyz", response_model=Readiness, responses={503: {"model": Readiness, "description": "One is out"}}
)
async def get_readiness(door: OpenDoor) -> JSONResponse:
    """Every dependency by name; 503 if one is out."""
    checks = {"postgres": _postgres(door), **door.coordinator.checks()}
    checks |= {partner.value: _partner(door, partner) for partner in Partner}
    results = await asyncio.gather(*(_outcome(check) for check in checks.values()))
    dependencies = dict(zip(checks, results, strict=True))
    ready = all(result == "ok" for result in results)
    body = Readiness(status="ok" if ready else "unavailable", dependencies=dependencies)
    return JSONResponse(body.model_dump(), 200 if ready else 503)


async def _outcome(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"
    except Exception as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return "ok"


async def _postgres(door: Door) -> None:
    await door.pool.execute("select from trips limit 0")


async def _partner(door: Door, partner: Partner) -> None:
    if error := await ailment(door.partners[partner], CHECK_TIMEOUT_S):
        raise RuntimeError(error)
