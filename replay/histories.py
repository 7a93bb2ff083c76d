"""Where histories come from: files that Temporal's command line or UI has written, or a namespace."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from temporal.workflows import executions

ADVICE = "export it with `temporal workflow show --output json`, or from the UI with encoded payloads"


class NoHistory(Exception):
    """What was found cannot be replayed; the message says why."""


class Found(NamedTuple):
    """A history, and the name by which a person finds it again."""

    name: str
    history: WorkflowHistory


def files_in(place: Path) -> list[Path]:
    """The JSON files in a folder and below it, or the one file. Raises NoHistory if there is none."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise NoHistory(f"{place}: there is no such folder")
    files = sorted(place.rglob("*.json"))
    if not files:
        raise NoHistory(f"{place}: there is no .json file in this folder")
    return files


def read(path: Path) -> WorkflowHistory:
    """Read one exported history. Raises NoHistory."""
    try:
        document = json.loads(path.read_bytes())
        history = WorkflowHistory.from_json(path.stem, {"events": list(_events(document))})
    except Exception as error:  # a file may hold anything, and its readers raise anything
        raise NoHistory(f"{path}: this is no history: {_first_line(error)}; {ADVICE}") from error
    events = sorted(history.events, key=lambda event: event.event_id)
    if [event.event_id for event in events] != list(range(1, len(events) + 1)):
        raise NoHistory(f"{path}: this history is not whole: its events are not numbered from 1 on")
    if not events or not events[0].HasField("workflow_execution_started_event_attributes"):
        raise NoHistory(f"{path}: this is no history: it does not begin with WorkflowExecutionStarted")
    started = events[0].workflow_execution_started_event_attributes
    if not all(payload.metadata for payload in started.input.payloads):
        raise NoHistory(f"{path}: this history is written for people to read; {ADVICE}")
    return WorkflowHistory(started.workflow_id or path.stem, events)


def _events(document: Any) -> Iterator[Any]:
    """The events of a file: a list of them, or under `events`, or under `history` as the server answers."""
    while isinstance(document, dict):
        document = document["history"] if "history" in document else document["events"]
    yield from document


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


async def of_namespace(client: Client, query: str) -> AsyncIterator[Found]:
    """The histories of the runs that the query finds, one at a time. Raises RPCError."""
    async for listed in executions(client, query):
        run = listed.execution
        handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            history = await handle.fetch_history(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                continue  # gone since it was listed
            raise
        yield Found(f"{run.workflow_id}/{run.run_id}", history)
