"""The runbook has one command for each alert, and each runs as it stands there."""

import asyncio
import os
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
import yaml

from tests.conftest import ROOT, RunningSystem
from tests.patience import PATIENCE_S
from tests.prometheus import RULES
from trials.orders import order
from trials.polling import until
from trials.traveller import Traveller

PAGE = ROOT / "docs" / "runbook.md"
MAY_END_WITH = {"TripsAuditFails": (0, 1), "TripsNondeterminism": (0, 2)}
"""The audit finds what other tests have left; a history may have ended before it is replayed. Else 0."""


def sections() -> dict[str, list[str]]:
    """The commands under each heading."""
    parts = re.split(r"^## (\S+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {
        title: re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_each_alert_has_its_place_in_the_runbook() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert sorted(rule["alert"] for rule in rules) == sorted(sections())
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert len(sections()[rule["alert"]]) == 1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def under_way(system: RunningSystem, http: aiohttp.ClientSession) -> AsyncIterator[None]:
    """A trip needs attention, so that there is a history to replay, for as long as that takes."""
    traveller: Traveller = system.traveller(http)
    await traveller.break_partner("tour", error_rate=1, status=503, verbs=["DELETE"])
    await traveller.book(order(payment={"card_token": "tok_declined", "currency": "JPY"}))
    yield
    await traveller.mend_partner("tour")


ONCE_EACH = {found: alert for alert, commands in sections().items() for found in commands}
"""Each command, and one of the alerts that have it."""


@pytest.mark.parametrize("command", ONCE_EACH, ids=ONCE_EACH.values())
async def test_a_command_runs(command: str, system: RunningSystem, under_way: None) -> None:
    env = os.environ | {
        "TEMPORAL_ADDRESS": system.temporal,
        "DATABASE_URL": system.database_url,
        "TRIPS_DATA_DIR": str(system.data_dir),
    }

    async def has_run() -> bool:
        """Temporal's list lags behind, so a command may find nothing at first."""
        process = await asyncio.create_subprocess_shell(command, cwd=ROOT, env=env)
        return await process.wait() in MAY_END_WITH.get(ONCE_EACH[command], (0,))

    await until(has_run, within_s=PATIENCE_S)
