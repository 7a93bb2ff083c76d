"""What the processes of a running system tell of themselves: figures, health, and a log of JSON lines."""

import json

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stack.system import ROOT
from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S
from tests.prometheus import asked, needs_promtool, prometheus
from trials.orders import order
from trials.polling import until
from trials.traveller import Traveller

DASHBOARD = ROOT / "stack" / "deploy" / "grafana" / "trips.json"

OF_ALL = ("trips_record_", "trips_temporal_", "trips_audit_interval")
"""Figures of the whole system."""

TOLD = {
    "api": {
        "trips_record_under_way", "trips_record_backlog", "trips_record_backlog_age_seconds",
        "trips_record_breaker_state", "trips_temporal_answers", "trips_temporal_pollers",
        "trips_temporal_schedule_runs", "trips_temporal_audit_age_seconds", "trips_audit_interval_seconds",
        "trips_event_streams", "trips_http_requests", "trips_http_request_seconds", "trips_codec_failures",
        "process_cpu_seconds",
    },
    "worker-1": {
        "trips_ended", "trips_settle_seconds", "trips_undo_seconds", "trips_partner_call_seconds",
        "trips_breaker_store_away", "trips_breaker_refuses", "trips_codec_failures", "process_cpu_seconds",
        "temporal_workflow_task_schedule_to_start_latency_seconds", "temporal_workflow_completed",
        "temporal_num_pollers",
    },
    "trips": {
        "trips_ended", "trips_settle_seconds", "trips_undo_seconds", "trips_breaker_store_away",
        "process_cpu_seconds",
    },
}  # fmt: skip


async def text_of(system: RunningSystem, http: aiohttp.ClientSession, process: str) -> str:
    async with http.get(system.metrics[process]) as answer:
        assert answer.status == 200
        return await answer.text()


def value(text: str, name: str, **labels: str) -> float:
    """The sum over the samples of this name that have these labels."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    lines = (line for line in text.splitlines() if line.startswith(f"{name}{{"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(one in line for one in wanted))


async def ended(system: RunningSystem, http: aiohttp.ClientSession, kind: str, outcome: str) -> list[float]:
    """How many trips have ended so, settled so, and were undone with this end, by who counts them."""
    text = await text_of(system, http, KINDS[kind])
    names = ("trips_ended_total", "trips_settle_seconds_count", "trips_undo_seconds_count")
    return [value(text, name, outcome=outcome, coordination=kind) for name in names]


KINDS = {"orchestration": "worker-1", "choreography": "trips"}


@pytest.mark.parametrize("outcome", ["confirmed", "failed"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_end_is_counted(
    kind: str, outcome: str, system: RunningSystem, http: aiohttp.ClientSession, traveller: Traveller
) -> None:
    before = await ended(system, http, kind, outcome)
    token = "tok_visa" if outcome == "confirmed" else "tok_declined"
    body = order(payment={"card_token": token, "currency": "JPY"}, coordination=kind)
    assert (await traveller.book(body, wait=60))["status"] == outcome

    async def is_counted() -> bool:
        now = await ended(system, http, kind, outcome)
        return [one > then for one, then in zip(now, before, strict=True)] == [
            True,
            True,
            outcome == "failed",
        ]

    await until(is_counted)


@pytest.mark.parametrize("process", TOLD)
async def test_the_figures_are_whole_and_tell_of_no_trip(
    process: str, system: RunningSystem, http: aiohttp.ClientSession, traveller: Traveller
) -> None:
    trips = [await traveller.book(order(coordination=kind), wait=60) for kind in KINDS]
    text = await text_of(system, http, process)
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert set(TOLD[process]) - set(names) == set()
    assert len(names) == len(set(names)), "a figure is told twice"
    assert not [trip["trip_id"] for trip in trips if trip["trip_id"] in text]
    for family in families:
        of_all = family.name.startswith(OF_ALL) and family.name != "trips_temporal_answers"
        assert ("every front door" in family.documentation) == of_all, family.name
        assert len(family.samples) < 1000, family.name


@needs_promtool
async def test_each_query_of_the_dashboard_finds_something(
    system: RunningSystem, http: aiohttp.ClientSession, traveller: Traveller
) -> None:
    """After a trip of each kind was undone; by a Prometheus that scrapes the system."""
    declined = {"card_token": "tok_declined", "currency": "JPY"}
    for kind in KINDS:
        await traveller.book(order(payment=declined, coordination=kind), wait=60)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [
        target["expr"].replace("$__rate_interval", "30s") for one in panels for target in one["targets"]
    ]
    targets = {f"trips-{name}": url for name, url in system.metrics.items()}

    async with prometheus(targets) as url:

        async def all_found() -> bool:
            nonlocal queries
            queries = [query for query in queries if not await asked(http, url, query)]
            return not queries

        try:
            await until(all_found, within_s=PATIENCE_S, every_s=1)
        except TimeoutError:
            raise AssertionError(f"no data: {queries}") from None


async def test_a_worker_and_trips_say_how_they_are(
    system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    expected = {"worker-1": {"temporal": "ok", "postgres": "ok"}, "trips": {"broker": "ok", "postgres": "ok"}}
    for process, dependencies in expected.items():
        base = system.metrics[process].removesuffix("/metrics")
        async with http.get(f"{base}/healthz") as alive, http.get(f"{base}/readyz") as ready:
            assert alive.status == ready.status == 200
            assert (await ready.json())["dependencies"] == dependencies


async def test_all_log_json_lines(system: RunningSystem) -> None:
    logged = [line.split(" | ", 1) for line in (system.data_dir / "system.log").read_text().splitlines()]
    own = {name.strip(): text for name, text in (line for line in logged if len(line) == 2)}
    for process in ("worker-1", "trips"):
        said = json.loads(own[process])
        assert {"time", "level", "logger", "process", "message"} <= said.keys()
