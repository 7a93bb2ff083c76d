"""Every kind of discrepancy, planted in a running system: found, and nothing else; gone when repaired."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from temporalio.client import WorkflowFailureError

from audit import windows
from audit.judge import CHECKS
from audit.run import AuditError, audit
from audit.trip_checks import release_command
from serving.upstream import Upstream
from tests.audit.ground import Ground, ground_of
from tests.audit.plants import PLANTS
from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from tests.replay.other_ways import triggered
from tests.system.test_schedules import result_of_a_run
from trials.orders import bench_order, some_day
from trials.polling import until
from trip.partner import Partner

IN_WINDOWS = {
    "a part released behind the trip",
    "a charge left",
    "a reservation of nobody",
    "a workflow lost",
    "a record lost",
    "an overdue trip",
    "a hotel's counter",
    "points lost",
    "a refund past the reservations",
}
"""What each part of an audit in windows has to find."""

SERVED_WITHIN_S = 80
DECLINED = {"card_token": "tok_declined", "currency": "JPY"}


@pytest.fixture(scope="module")
async def ground(spare: RunningSystem) -> AsyncIterator[Ground]:
    """What is planted here spoils nothing elsewhere. In the end all of it is repaired."""
    async with ground_of(spare) as found:
        yield found
        assert await found.found() == set()


@pytest.mark.parametrize("name", PLANTS)
async def test_planted_is_found_and_nothing_else(
    ground: Ground, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the plants before it either: what is taken out again is gone."""
    # What has ended is tallied at once, and what is planted in it spoils the tallies.
    monkeypatch.setattr(windows, "SETTLING", timedelta(0))
    async with PLANTS[name](ground) as expected:
        assert await ground.found() == expected
        if name in IN_WINDOWS:
            assert await ground.found_new() == expected
    if name in IN_WINDOWS:
        assert await ground.found_new() == set()


def test_the_plants_of_windows_exist() -> None:
    assert PLANTS.keys() >= IN_WINDOWS


async def test_the_scheduled_audit_fails_where_stores_disagree(ground: Ground) -> None:
    await ground.confirmed()
    found = await result_of_a_run(ground.temporal, "audit-stores")
    assert isinstance(found, dict)
    assert found["trips"] > 0 and found["reservations"] >= 5 and found["discrepancies"] == 0

    seat = {"tour_id": "KYOTO-WALK", "date": str(some_day()), "seats": 1}
    await ground.call("PUT", "tour", "/reservations/nobody", seat)
    try:
        with pytest.raises(WorkflowFailureError) as failure:
            await result_of_a_run(ground.temporal, "audit-stores")
    finally:
        await ground.call("DELETE", "tour", "/reservations/nobody")
    assert "without_trip nobody" in str(failure.value.cause)


async def test_a_process_of_its_own_serves_the_audits(ground: Ground) -> None:
    told = os.environ | {
        "TRIPS_QUEUES": "audits",
        "TEMPORAL_ADDRESS": ground.system.temporal,
        "DATABASE_URL": ground.system.database_url,
        **{f"TRIPS_{name.upper()}_URL": url for name, url in ground.system.partners.items()},
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "worker.py", cwd=ROOT, env=told)
    identity = f"{process.pid}@{socket.gethostname()}"

    async def has_served() -> bool:
        # The system's worker serves the queue, too. If it stood still, it would hold the tasks that it has
        # asked for.
        return identity in await who_served(ground, "audit-stores")

    try:
        await until(has_served, SERVED_WITHIN_S)
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0


async def who_served(ground: Ground, schedule: str) -> set[str]:
    """The processes that did the activities of a run of the schedule."""
    run = ground.temporal.get_workflow_handle(await triggered(ground.temporal, schedule))
    assert await run.result()
    events = (await run.fetch_history()).events
    return {event.activity_task_started_event_attributes.identity for event in events}


async def test_a_one_sided_ledger_is_found(ground: Ground) -> None:
    """The bundled ledger cannot be one-sided by construction, so one is served in its place."""
    honest = ground.system.partners["payment"]

    async def pass_on(request: web.Request) -> web.Response:
        async with ground.http.get(honest + request.path_qs) as answer:
            body = await answer.read()
        if request.path == "/ledger":
            body = re.sub(rb'("cards","currency":"JPY","balance_minor":)-?\d+', rb"\g<1>1", body)
        return web.Response(body=body, content_type="application/json")

    await ground.confirmed()
    app = web.Application()
    app.router.add_get("/{path:.*}", pass_on)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        partners = {**ground.endpoints().partners, Partner("payment"): Upstream(f"http://127.0.0.1:{port}")}
        found = await ground.found(replace(ground.endpoints(), partners=partners))
    finally:
        await runner.cleanup()
    assert found == {("ledger_unbalanced", "JPY")}


async def test_the_command_says_what_is_wrong_and_how_to_mend_it(ground: Ground) -> None:
    async with PLANTS["a charge left"](ground) as expected:
        [(code, trip_id)] = expected
        spoilt = run_command(ground)
    clean = run_command(ground)
    assert (spoilt.returncode, clean.returncode) == (1, 0), spoilt.stderr + clean.stderr
    assert f"{code}: payment {trip_id}" in spoilt.stdout
    assert f"remedy: {release_command(Partner('payment'), trip_id)}" in spoilt.stdout
    assert all(check.what in clean.stdout for check in CHECKS)


HINTS = {
    "workflow_ended": "a workflow terminated",
    "left_behind": "a charge left",
    "without_trip": "a reservation of nobody",
    "workflow_running": "a workflow after its trip's end",
    "overdue": "an overdue trip",
}
MENDS = {"workflow_ended", "left_behind", "without_trip"}
PAGE = (ROOT / "docs" / "audit.md").read_text()
SET_UP = re.findall(r"```sh\n(export PATH.*?)```", PAGE, re.DOTALL)[0]
ON_THE_PAGE = dict(re.findall(r"^\| `(\w+)` \| `([^`]*TRIP_ID[^`]*)`", PAGE, re.MULTILINE))


@pytest.fixture(scope="module")
def place(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder, with this system's data where `make up` has its own."""
    place = tmp_path_factory.mktemp("place")
    for entry in ROOT.iterdir():
        if entry.name != ".data":
            (place / entry.name).symlink_to(entry)
    (place / ".data").symlink_to(ground.system.data_dir)
    return place


def test_every_command_on_the_page_is_tried() -> None:
    assert ON_THE_PAGE.keys() == HINTS.keys()


@pytest.mark.parametrize("code", HINTS)
async def test_a_hint_is_a_command_as_it_stands_on_the_page(ground: Ground, place: Path, code: str) -> None:
    async with PLANTS[HINTS[code]](ground) as expected:
        subject = next(subject for found, subject in expected if found == code)
        report = await audit(ground.endpoints(), pause_s=0.1)
        [hint] = [found.remedy for found in report.discrepancies if found.code == code]
        assert hint == ON_THE_PAGE[code].replace("TRIP_ID", subject)
        done = in_a_shell(SET_UP + hint, place)
        assert done.returncode == 0, done.stdout + done.stderr
        assert code not in MENDS or code not in {found for found, _ in await ground.found()}


def in_a_shell(script: str, place: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-euc", script], cwd=place, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


async def test_nothing_answers(ground: Ground) -> None:
    nowhere = replace(ground.endpoints(), temporal="127.0.0.1:1")
    with pytest.raises(AuditError, match=re.escape("Temporal at 127.0.0.1:1")):
        await audit(nowhere)


async def test_traffic_is_not_taken_for_wrong_and_hides_nothing_wrong(ground: Ground) -> None:
    async with PLANTS["a charge left"](ground) as expected, asyncio.TaskGroup() as group:
        traffic = [group.create_task(book_some(ground, decline)) for decline in (False, True, False)]
        looks = 0
        while not all(task.done() for task in traffic):
            assert await ground.found() == expected
            looks += 1
    assert looks > 1
    assert await ground.found() == set()


async def book_some(ground: Ground, decline: bool) -> None:
    """Trips one after another; every second one is cancelled on its way."""
    for number in range(10):
        trip = await ground.traveller.book(bench_order(payment=DECLINED) if decline else bench_order())
        if number % 2:
            await ground.traveller.call("POST", f"/trips/{trip['trip_id']}/cancel")
        await ground.traveller.until(trip["trip_id"])


def run_command(ground: Ground) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "audit"],
        cwd=ROOT,
        env={**os.environ, "TRIPS_DATA_DIR": str(ground.system.data_dir)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
