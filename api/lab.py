"""The lab: show and set the faults of each partner, through the front door (only with TRIPS_LAB=1)."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from api.authentication import ANY_CALL, authenticated
from api.door import Door, OpenDoor
from api.tokens.caller import Scope
from serving.client import NoReply
from serving.faults import Faults
from serving.paging import Page
from serving.problems import documented, problem, unavailable
from trip.partner import Partner

LAB_TIMEOUT_S = 3


class LabOff(Exception):
    """This front door serves no lab. Answered 404 `lab_off`."""


class LabAway(Exception):
    """The partner's lab gave no usable answer. Answered 503."""


class PartnerFaults(BaseModel):
    """A partner's faults; null if its lab does not answer."""

    partner: Partner
    faults: Faults | None


async def _lab_door(door: OpenDoor) -> Door:
    """The open door, if it serves a lab. Raises LabOff."""
    if not door.settings.lab:
        raise LabOff
    return door


LabDoor = Annotated[Door, Depends(_lab_door)]

router = authenticated(Scope.FLEET, prefix="/lab", tags=["lab"])


_ASKED = {"lab_off": 404, "lab_unavailable": 503, **ANY_CALL}
"""The refusals of a call that is passed on to a partner's lab."""


@router.get("", responses=documented(lab_off=404))
async def show_lab(door: LabDoor) -> Page[PartnerFaults]:
    """The faults of each partner."""
    found = await asyncio.gather(*(_look(door, partner) for partner in Partner))
    return Page(items=[PartnerFaults(partner=p, faults=f) for p, f in zip(Partner, found, strict=True)])


@router.put("/{partner}", responses=documented(408, 413, 415, 422, broken_json=422, **_ASKED))
async def break_partner(door: LabDoor, partner: Partner, faults: Faults) -> PartnerFaults:
    """Replace a partner's faults."""
    body = faults.model_dump(mode="json", exclude_none=True)
    return PartnerFaults(partner=partner, faults=await _ask(door, partner, "PUT", body))


@router.delete("/{partner}", responses=documented(408, 413, 422, **_ASKED))
async def mend_partner(door: LabDoor, partner: Partner) -> PartnerFaults:
    """Take away a partner's faults."""
    return PartnerFaults(partner=partner, faults=await _ask(door, partner, "DELETE"))


async def lab_off(_request: Request, _error: Exception) -> JSONResponse:
    """The answer to LabOff."""
    return problem(404, "lab_off", "the lab is served with TRIPS_LAB=1 only")


async def lab_away(_request: Request, error: Exception) -> JSONResponse:
    """The answer to LabAway."""
    return unavailable("lab_unavailable", str(error))


async def _look(door: Door, partner: Partner) -> Faults | None:
    try:
        return await _ask(door, partner, "GET")
    except LabAway:
        return None


async def _ask(door: Door, partner: Partner, method: str, body: object = None) -> Faults:
    """Call the partner's lab. Returns the faults then in force. Raises LabAway."""
    try:
        reply = await door.partners[partner].ask(method, "/lab/faults", json=body, limit_s=LAB_TIMEOUT_S)
        if reply.status == 200:
            return Faults.model_validate_json(reply.body)
    except (NoReply, ValidationError) as error:
        raise _away(partner) from error
    raise _away(partner)


def _away(partner: Partner) -> LabAway:
    return LabAway(f"the {partner} partner's lab does not answer as it should; try again")
