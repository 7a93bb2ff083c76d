"""`python -m stack` with a pgbouncer between the system's own processes and its record."""

import pwd
import sys
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from stack import place, postgres
from stack.__main__ import up
from stack.parts import Part, listening
from stack.ports import free_port
from stack.runner import exit_status
from stack.system import System
from tests import pooler


@dataclass(frozen=True)
class PooledSystem(System):
    """`stack.json` also says where the pooler is."""

    @cached_property
    def pooler_port(self) -> int:
        return free_port()

    @property
    def pooled_url(self) -> str:
        return pooler.pooled(self.database_url, self.pooler_port)

    def describe(self) -> dict[str, object]:
        return super().describe() | {"pooled_url": self.pooled_url}

    def environment(self) -> dict[str, str]:
        told = {"DATABASE_URL": self.pooled_url, "TRIPS_DATABASE_DIRECT_URL": self.direct_database_url}
        return super().environment() | told

    async def prepare(self) -> None:
        await super().prepare()
        user = postgres.system_user()
        written = pooler.settings(self.database_url, self.pooler_port)
        place.write(self._settings_file, written, None if user is None else pwd.getpwnam(user).pw_uid)

    def parts(self) -> list[Part]:
        pooling = Part(
            "pooler",
            pooler.command(self._settings_file),
            listening(self.pooler_port),
            needs=("postgres",),
            user=postgres.system_user(),
        )
        # All that reach the record need its migration, so the pooler starts before them and stops after them.
        return [pooling, *map(_after_pooler, super().parts())]

    @property
    def _settings_file(self) -> Path:
        return self.data_dir / "pooler.ini"


def _after_pooler(part: Part) -> Part:
    return replace(part, needs=(*part.needs, "pooler")) if part.name == "migrate" else part


if __name__ == "__main__":
    sys.exit(exit_status(partial(up, PooledSystem)))
