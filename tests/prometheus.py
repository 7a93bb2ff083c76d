"""Debian's Prometheus: its rules held against figures that were really scraped."""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stack.ports import free_port
from stack.system import ROOT

RULES = ROOT / "stack" / "deploy" / "prometheus" / "rules.yml"
PROMTOOL = shutil.which("promtool")
NODE_EXPORTER = shutil.which("prometheus-node-exporter")
REMEDY = "no promtool: install Prometheus (apt-get install prometheus prometheus-node-exporter)"

PROMETHEUS = shutil.which("prometheus")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason=REMEDY)

NEITHER = 2
_GOT = re.compile(r'expr: ("(?:[^"\\]|\\.)*"), time:.*?got: \{\} (\S+)', re.DOTALL)

MINUTES = 40
"""For so long the figures stand as they were scraped. Longer than any rule looks back."""
SEEN_AFTER = 8
"""So many minutes after the change it is seen which alerts fire. Longer than any rule waits."""


@dataclass(frozen=True)
class Sample:
    """One value of a figure, as Prometheus keeps it."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    @property
    def series(self) -> str:
        told = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in self.labels)
        return f"{self.name}{{{told}}}"


Scrape = list[Sample]


def parsed(text: str, job: str, instance: str = "one") -> Scrape:
    """The samples of a text of figures, as Prometheus labels those of a target."""
    target = {"job": job, "instance": instance}
    return [Sample("up", tuple(target.items()), 1)] + [
        Sample(sample.name, tuple((target | sample.labels).items()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


async def scraped(http: aiohttp.ClientSession, url: str, job: str, instance: str = "one") -> Scrape:
    """What the target answers. If it does not, only that it is not up, as Prometheus notes it."""
    try:
        async with http.get(url) as answer:
            assert answer.status == 200
            return parsed(await answer.text(), job, instance)
    except aiohttp.ClientConnectionError:
        return [Sample("up", (("job", job), ("instance", instance)), 0)]


@dataclass(frozen=True)
class Run:
    """Figures that stand as `before`, change to `after`, and stay so."""

    before: Scrape
    after: Scrape


def firing(runs: Mapping[str, Run]) -> dict[str, set[str]]:
    """The alerts that fire at the end of each run."""
    assert PROMTOOL is not None, REMEDY
    asked = {
        f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) > bool 0 or vector(0)': name
        for name in alerts()
    }
    # Expected is what no alert gives, so promtool tells of each what it got instead.
    wrong = [
        {
            "expr": expr,
            "eval_time": f"{MINUTES + SEEN_AFTER}m",
            "exp_samples": [{"labels": "{}", "value": NEITHER}],
        }
        for expr in asked
    ]
    tests = [
        {"interval": "1m", "input_series": _series(run), "promql_expr_test": wrong} for run in runs.values()
    ]
    said = _checked({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests})
    got = [(asked[json.loads(expr)], float(value)) for expr, value in _GOT.findall(said)]
    assert [name for name, _ in got] == [*asked.values()] * len(runs), said[:2000]
    return {
        run: {name for name, value in got[place * len(asked) : (place + 1) * len(asked)] if value == 1}
        for place, run in enumerate(runs)
    }


@asynccontextmanager
async def prometheus(targets: Mapping[str, str]) -> AsyncIterator[str]:
    """The URL of a Prometheus that scrapes every second: the URLs of figures, by their jobs."""
    assert PROMETHEUS is not None, REMEDY
    port = free_port()
    jobs = [
        {
            "job_name": job,
            "metrics_path": urlsplit(url).path,
            "static_configs": [{"targets": [urlsplit(url).netloc]}],
        }
        for job, url in targets.items()
    ]
    with tempfile.TemporaryDirectory(prefix="prometheus-", ignore_cleanup_errors=True) as place:
        config = Path(place, "prometheus.yml")
        content = json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs})
        config.write_text(content)  # noqa: ASYNC240 - small
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={config}",
            f"--storage.tsdb.path={place}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            await process.wait()


async def asked(http: aiohttp.ClientSession, url: str, query: str) -> list[Any]:
    """What Prometheus answers to a query now. Nothing while it starts."""
    try:
        async with http.get(f"{url}/api/v1/query", params={"query": query}) as answer:
            if answer.status == 503:
                return []
            found = await answer.json()
    except aiohttp.ClientConnectionError:
        return []
    assert found["status"] == "success", found
    result: list[Any] = found["data"]["result"]
    return result


def alerts() -> list[str]:
    """The names of all alerts."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def _series(run: Run) -> list[dict[str, str]]:
    rules = RULES.read_text()
    then, now = (
        {one.series: one for one in scrape if one.name in rules} for scrape in (run.before, run.after)
    )
    return [
        {"series": series, "values": f"{_values(then.get(series))} {_values(now.get(series))}"}
        for series in {**then, **now}
    ]


def _values(sample: Sample | None) -> str:
    return f"_x{MINUTES}" if sample is None else f"{sample.value}+0x{MINUTES}"


def _checked(content: object) -> str:
    with tempfile.TemporaryDirectory(prefix="rules-") as place:
        file = Path(place, "test.yml")
        file.write_text(json.dumps(content))
        command = [str(PROMTOOL), "test", "rules", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr
