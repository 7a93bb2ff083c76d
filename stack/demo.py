"""`make demo`: a whole system, three trips through its front door, and an audit of all stores."""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from audit.report import printed
from audit.run import Endpoints, audit
from partners.catalogue import STAYS
from stack.chosen import free_ports
from stack.runner import exit_status, running, stop_event
from stack.surroundings import forget_all
from stack.system import System
from trip.examples import example_order
from trip.partner import Partner
from trip.trip import FINAL_STATUSES

SETTLE_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.1
CALL_TIMEOUT = aiohttp.ClientTimeout(total=15)

SICK = Partner(STAYS[-1].name)
FINAL = {status.value for status in FINAL_STATUSES}


@dataclass(frozen=True)
class Scene:
    """A trip to book, and how it has to end."""

    title: str
    card_token: str
    ends: str
    failures: int = 0


SCENES = (
    Scene("A trip that is confirmed", "tok_visa", "confirmed"),
    Scene("A trip whose card is declined: what was held is released", "tok_declined", "failed"),
    Scene(f"A trip through a {SICK} partner that fails three times", "tok_visa", "confirmed", failures=3),
)


class DemoError(Exception):
    """A trip did not end as it had to."""


async def demo() -> int:
    """Run the scenes on a system of its own; 0 if all went as it had to and the audit holds."""
    forget_all()
    stop = stop_event()
    with tempfile.TemporaryDirectory(prefix="trips-demo-", ignore_cleanup_errors=True) as place:
        system = System(Path(place) / "data", free_ports())
        async with running(system, _progress, stop):
            if stop.is_set():
                return 130
            playing = asyncio.create_task(_play(system))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([playing, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not playing.done():
                playing.cancel()
                await asyncio.wait([playing])
                return 130
            return playing.result()


def _progress(name: str, line: str) -> None:
    if name == "stack":
        print(f"  {line}", file=sys.stderr, flush=True)


async def _play(system: System) -> int:
    async with aiohttp.ClientSession(
        system.url(system.ports.api_port),
        headers={"Authorization": f"Bearer {system.tokens()['traveller']}"},
        timeout=CALL_TIMEOUT,
    ) as front_door:
        try:
            for scene in SCENES:
                await _play_scene(front_door, system, scene)
        except DemoError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    report = await audit(Endpoints.of_system(system.describe()))
    print("\n" + printed(report), flush=True)
    return 1 if report.discrepancies else 0


async def _play_scene(front_door: aiohttp.ClientSession, system: System, scene: Scene) -> None:
    print(f"\n{scene.title}", flush=True)
    if scene.failures:
        await _break(system, SICK, scene.failures)
    async with front_door.post("/trips", json=_order(scene.card_token)) as answer:
        trip = await answer.json()
        if answer.status != 202:
            raise DemoError(f"the trip was not accepted: {trip}")
    trip = await _follow(front_door, trip["links"]["self"])
    if trip["status"] != scene.ends:
        raise DemoError(f"the trip ended {trip['status']}, not {scene.ends}: {trip['failure']}")
    print(f"  history: {trip['links']['temporal_ui']}")


async def _break(system: System, partner: Partner, times: int) -> None:
    faults = {"error_rate": 1, "status": 503, "count": times}
    url = f"{system.url(system.ports.partner(partner))}/lab/faults"
    async with aiohttp.request("PUT", url, json=faults, timeout=CALL_TIMEOUT) as answer:
        answer.raise_for_status()


async def _follow(front_door: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    """Print each change of the trip until it has ended."""
    started = asyncio.get_running_loop().time()
    shown: dict[str, str] = {}
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        while True:
            async with front_door.get(path) as answer:
                trip: dict[str, Any] = await answer.json()
            for name, text in _state(trip).items():
                if shown.get(name) != text:
                    print(
                        f"  {asyncio.get_running_loop().time() - started:6.2f} s  {name:<8} {text}",
                        flush=True,
                    )
            shown = _state(trip)
            if trip["status"] in FINAL:
                return trip
            await asyncio.sleep(LOOK_EVERY_S)


def _state(trip: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: _step(step) for step in trip["steps"]} | {"trip": _end(trip)}


def _step(step: dict[str, Any]) -> str:
    words = [step["status"]]
    if step["reference"]:
        words.append(f"{step['reference']} {step['amount_minor']:,}")
    if step["attempts"] > 1:
        words.append(f"after {step['attempts']} attempts")
    if step["error"]:
        words.append(f"({step['error']['code']}: {step['error']['message']})")
    return " ".join(words)


def _end(trip: dict[str, Any]) -> str:
    total = trip["total"]
    price = "" if total["amount_minor"] is None else f", {total['amount_minor']:,} {total['currency']}"
    return f"{trip['status']}{price}"


def _order(card_token: str) -> dict[str, Any]:
    order = example_order(datetime.now(UTC).date() + timedelta(days=90))
    order["payment"]["card_token"] = card_token
    return order


if __name__ == "__main__":
    sys.exit(exit_status(demo))
