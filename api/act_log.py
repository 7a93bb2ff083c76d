"""Writes down who did or tried what, and keeps anybody from flooding the log."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

from record import acts as record
from record.acts import Act
from record.pool import Pool, RecordAway
from serving.beside import beside

log = logging.getLogger(__name__)

WINDOW_S = 60.0
"""Acts that are the same within this time are counted in one row, after the first."""

WRITE_EVERY_S = 5.0
MOST = 200
"""How many different refusals are told apart within the time. Further ones count as one."""

MOST_DONE = 10_000
"""How many acts are remembered to be counted. Further ones that were done have a row each."""

OTHERS = "others"


class ActLog:
    """Writes acts down. The first of its kind is written at once, those like it are counted for a minute.

    So nobody can flood the log: a refusal costs two rows a minute, and MOST kinds are told apart. What cannot
    be written now is written later, unless the process ends.
    """

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._since: dict[Act, float] = {}
        self._counted: dict[Act, int] = {}
        self._refusals = 0  # how many of these acts are no acts that were done

    async def note(self, act: Act) -> None:
        """Write the act down, or count it."""
        if act.outcome != "done" and act not in self._since and self._refusals >= MOST:
            act = Act(act.action, act.outcome, target=OTHERS)
        if act in self._since:
            self._counted[act] = self._counted.get(act, 0) + 1
            return
        if len(self._since) < MOST_DONE:
            self._since[act] = self._clock()
            self._refusals += act.outcome != "done"
        try:
            await record.write(self._pool, [(act, 1)])
        except RecordAway as error:
            log.warning("an act is written down later: %s", error)
            self._counted[act] = self._counted.get(act, 0) + 1

    async def write_counted(self, *, all_of_them: bool = False) -> None:
        """Write those whose minute is over. Raises RecordAway."""
        over = self._clock() - WINDOW_S
        due = [act for act, since in self._since.items() if all_of_them or since <= over]
        counted = {act: self._counted[act] for act in due if act in self._counted}
        if counted:
            await record.write(self._pool, list(counted.items()))
        for act in due:
            self._since.pop(act, None)
            left = self._counted.pop(act, 0) - counted.get(act, 0)
            if left:  # counted while the others were written
                self._counted[act] = left
                self._since[act] = self._clock()
        self._refusals = sum(act.outcome != "done" for act in self._since)

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """While the context is open, write what was counted; at its end, the rest."""
        try:
            async with beside(self._keep_writing()):
                yield
        finally:
            with contextlib.suppress(RecordAway):
                await self.write_counted(all_of_them=True)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write_counted()
            except RecordAway as error:
                log.warning("acts are written down later: %s", error)
