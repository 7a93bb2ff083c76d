"""A system, to which workers that name their build are added."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client, WorkflowHistory

from builds.release import Plan, release
from config.keys import KEYS, KEYS_FILE
from stack.system import ROOT
from trials.traveller import Traveller
from trials.world import World

POLLS_WITHIN_S = 60.0
STOP_S = 20.0
MARGIN = 0.25


@dataclass(frozen=True)
class Fleet:
    """A system and its workers. `settings` are those that the system was started with."""

    world: World
    traveller: Traveller
    client: Client
    settings: Mapping[str, str]

    def environment(self, build_id: str, changes: Path | None = None) -> dict[str, str]:
        """That of a build. What is in `changes` goes before the project's own packages."""
        own = {
            "TRIPS_BUILD_ID": build_id,
            "DATABASE_URL": self.world.database_url,
            "TEMPORAL_ADDRESS": self.world.temporal,
            KEYS: (self.world.data_dir / KEYS_FILE).read_text(),
            **{f"TRIPS_{partner.upper()}_URL": url for partner, url in self.world.partners.items()},
            "PYTHONSAFEPATH": "1",
            "PYTHONPATH": os.pathsep.join(str(place) for place in (changes, ROOT) if place),
        }
        return os.environ | self.settings | own

    @contextlib.contextmanager
    def worker(self, build_id: str, changes: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker of a build. Nobody starts it again if it dies."""
        with (self.world.data_dir / f"{build_id}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker"],
                env=self.environment(build_id, changes),
                stdout=log,
                stderr=log,
            )
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(STOP_S)
                finally:
                    process.kill()
                    process.wait()

    async def release(self, build_id: str, steps: tuple[float, ...] = (), seconds: float = 0) -> None:
        """Make the build current; each step lasts so long, and so does the watch. Raises NotReleased."""
        said: list[str] = []
        plan = Plan(build_id, steps, pause_s=seconds, watch_s=seconds, wait_s=POLLS_WITHIN_S, margin=MARGIN)
        if not await release(self.client, plan, said.append):
            raise NotReleased("\n".join(said))

    async def history(self, trip_id: str) -> WorkflowHistory:
        return await self.client.get_workflow_handle(trip_id).fetch_history()


class NotReleased(Exception):
    """Something went wrong with a build, and it was taken back; what the release said."""


def builds_of(history: WorkflowHistory) -> tuple[str, ...]:
    """The builds that carried the trip on, each once, in their order."""
    tasks = [event.workflow_task_completed_event_attributes for event in history.events]
    builds = [task.deployment_version.build_id for task in tasks if task.HasField("deployment_version")]
    return tuple(dict.fromkeys(builds))
