"""docs/add-a-partner.md, carried out: a copy of the project gets the car, and books trips with it."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from playwright.async_api import Page, async_playwright, expect

from stack.ports import free_port
from tests.browser import chromium
from tests.browser.console import Console, Watch
from tests.conftest import ROOT, SHARED, RunningSystem, running_system
from tests.patience import PATIENCE_S
from trials.orders import Json, order, some_day
from trials.traveller import Traveller

CAR = Path(__file__).parent / "car"
PAGE = ROOT / "docs" / "add-a-partner.md"
MOST_LINES = 150
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", "results")
LAST = '    "flight",\n'
LINE = '    "car",\n'
VANS_A_DAY = 2


def git(place: Path, *words: str) -> str:
    """What git says of the project at `place`, with nobody's own configuration."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
    identity = ["-c", "user.name=Example", "-c", "user.email=example@example.com"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=place, env=own, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, under git, with the car's folder and its one line put in place."""
    if (ROOT / "partners" / "car").exists():
        pytest.skip("the car is in place already")
    place = tmp_path_factory.mktemp("project") / "trips"
    shutil.copytree(ROOT, place, ignore=NOT_COPIED)
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", "The project as it is")
    shutil.copytree(CAR, place / "partners" / "car", ignore=NOT_COPIED)
    catalogue = place / "partners" / "catalogue.py"
    text = catalogue.read_text()
    assert text.count(LAST) == 1
    catalogue.write_text(text.replace(LAST, LAST + LINE))
    git(place, "add", "--all")
    return place


def test_one_line_changes_outside_the_new_folder(project: Path) -> None:
    print(git(project, "diff", "--cached", "--stat"))
    outside = git(project, "diff", "--cached", "--numstat", "--", ":!partners/car")
    assert outside == "1\t0\tpartners/catalogue.py\n"


def test_the_folder_is_small() -> None:
    code = [path for path in CAR.iterdir() if path.suffix in (".py", ".sql")]
    lines = sum(len(path.read_text().splitlines()) for path in code)
    print(f"the folder has {lines} lines of Python and SQL")
    assert lines <= MOST_LINES


def test_the_page_shows_the_code_that_runs() -> None:
    page = PAGE.read_text()
    shown = re.findall(r"^```python\n# partners/car/(\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert dict(shown) == {path.name: path.read_text() for path in CAR.glob("*.py")}
    added = re.search(r"^```diff\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert added is not None
    assert added[1] == f" {LAST}+{LINE} )\n"


@pytest.fixture(scope="module")
def own_system(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The copy's system."""
    settings = SHARED | {"TRIPS_CAR_PORT": str(free_port())}
    with running_system(tmp_path_factory.mktemp("car") / "data", settings, root=project) as started:
        yield started


@pytest.fixture
def caller(own_system: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    """Calls to it."""
    return own_system.traveller(http)


def trip_with(car_id: str, first: date, days: int, cars: int = 1) -> Json:
    """A trip with a car from `first` on."""
    until = first + timedelta(days=days)
    return order(first, car={"car_id": car_id, "pick_up": str(first), "return_by": str(until), "cars": cars})


def step(trip: Json, name: str) -> Json:
    """The trip's step."""
    return next(dict(found) for found in trip["steps"] if found["name"] == name)


async def stock(caller: Traveller, car_id: str, first: date) -> list[tuple[str, int, int]]:
    """Day, held and confirmed of a car's stock from `first` on."""
    rows = (await caller.read("car", "/inventory?limit=500"))["items"]
    rows = [row for row in rows if row["id"] == car_id and row["date"] >= str(first)]
    assert all(row["total"] == row["free"] + row["held"] + row["confirmed"] for row in rows)
    return [(row["date"], row["held"], row["confirmed"]) for row in rows]


async def test_a_trip_with_a_car_is_confirmed(caller: Traveller) -> None:
    first = some_day()
    trip = await caller.book(trip_with("KYO-COMPACT", first, days=3, cars=2), wait=60)
    assert trip["status"] == "confirmed"
    assert [found["name"] for found in trip["steps"]] == [
        "hotel", "tour", "flight", "car", "points", "payment",
    ]  # fmt: skip
    assert {found["status"] for found in trip["steps"]} == {"confirmed"}
    assert step(trip, "car")["amount_minor"] == 3 * 2 * 7_000
    assert trip["total"]["amount_minor"] == 54_000 + 10_000 + 64_000 + 42_000 - 5_000
    assert [call["verb"] for call in await caller.calls("car", trip["trip_id"])] == ["PUT", "confirm"]
    booked = await caller.reservation("car", trip["trip_id"])
    assert booked is not None
    assert (booked["status"], booked["reference"]) == ("confirmed", step(trip, "car")["reference"])
    days = [str(first + timedelta(days=day)) for day in range(3)]
    assert await stock(caller, "KYO-COMPACT", first) == [(day, 0, 2) for day in days]


async def test_a_trip_whose_car_is_sold_out_is_undone(caller: Traveller) -> None:
    first = some_day()
    before = await caller.book(trip_with("KYO-VAN", first, days=2, cars=VANS_A_DAY), wait=60)
    assert before["status"] == "confirmed"
    last = first + timedelta(days=1)
    trip = await caller.book(trip_with("KYO-VAN", last, days=2), wait=60)
    assert trip["status"] == "failed"
    assert (trip["failure"]["step"], trip["failure"]["code"]) == ("car", "sold_out")
    for partner in ("hotel", "tour", "flight", "car", "points", "payment"):
        left = await caller.reservation(partner, trip["trip_id"])
        assert left is None or left["status"] == "released", partner
    # The second trip's other day was free, and is again.
    assert [row for row in await stock(caller, "KYO-VAN", first) if any(row[1:])] == [
        (str(first), 0, VANS_A_DAY),
        (str(last), 0, VANS_A_DAY),
    ]


async def test_the_documents_show_the_car(own_system: RunningSystem, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{own_system.api}/openapi.json") as answer:
        document: Json = await answer.json()
    schemas = document["components"]["schemas"]
    assert schemas["Partner"]["enum"] == ["hotel", "tour", "flight", "car", "points", "payment"]
    assert {"$ref": "#/components/schemas/CarRental"} in schemas["TripOrder"]["properties"]["car"]["anyOf"]
    assert schemas["CarRental"]["properties"]["pick_up"]["title"] == "Pick-up"
    body = document["paths"]["/trips"]["post"]["requestBody"]["content"]["application/json"]
    assert body["examples"]["everything"]["value"]["car"]["car_id"] == "KYO-COMPACT"


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser's page."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.chromium(), args=chromium.FLAGS)
        yield await browser.new_page()
        await browser.close()


@pytest.mark.skipif(chromium.is_left_out(), reason=chromium.REMEDY)
async def test_the_console_shows_the_car(own_system: RunningSystem, page: Page) -> None:
    watch = Watch(own_system.api.removeprefix("http://"))
    watch.over(page)
    desk = Console(page, own_system.api, own_system.tokens["operator"], watch)
    await desk.sign_in("#/book")
    await expect(page.get_by_role("checkbox", name="Car")).to_be_checked()
    await expect(page.get_by_label("Pick-up")).to_have_attribute("type", "date")
    await desk.book()
    await desk.is_now("confirmed")
    await expect(desk.step("car")).to_contain_text("14,000 JPY")
    await desk.go("Trips")
    await expect(page.get_by_role("columnheader", name="car", exact=True)).to_be_visible()
    assert watch.wrong == []


async def audited(project: Path, system: RunningSystem) -> tuple[int, Any]:
    """The audit's exit status and report, run in the copy as a user runs it."""
    told = os.environ | {"TRIPS_DATA_DIR": str(system.data_dir)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "audit", "--json", cwd=project, env=told, stdout=subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        output, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, json.loads(output)


async def test_the_audit_counts_the_cars_stock(
    project: Path, own_system: RunningSystem, caller: Traveller
) -> None:
    first = some_day()
    trip = await caller.book(trip_with("KYO-VAN", first, days=1), wait=60)
    assert trip["status"] == "confirmed"
    status, report = await audited(project, own_system)
    assert (status, report["discrepancies"]) == (0, [])
    change = "update car.stock set confirmed = confirmed + {} where item = 'KYO-VAN' and day = $1"
    database = await asyncpg.connect(own_system.engines["car"], timeout=PATIENCE_S)
    try:
        await database.execute(change.format(1), first)
        status, report = await audited(project, own_system)
        await database.execute(change.format(-1), first)
    finally:
        await database.close()
    wrong = {(found["code"], found["partner"], found["subject"]) for found in report["discrepancies"]}
    assert (status, wrong) == (1, {("stock_differs", "car", f"KYO-VAN/{first}")})
