"""The worker, with breakers that a signal takes out while it runs: SIGUSR1 out, SIGUSR2 in again.

Taken out they count nothing, refresh nothing and let every call in. Only the benchmark starts this; the
worker itself cannot go without its breakers.
"""

import asyncio
import signal
from typing import Self
from unittest.mock import patch

import worker
from guard.permit import BreakerOpen, Permit
from guard.policy import Outcome
from guard.view import Breakers
from trip.partner import Partner

OUT, IN = signal.SIGUSR1, signal.SIGUSR2

_FREE_PASS = {partner.value: Permit(partner.value, version=0) for partner in Partner}


class SwitchedBreakers(Breakers):
    """The worker's own breakers, or none."""

    _is_in = True
    _switching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin with the breakers in, and go by the signals."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(OUT, self._switch, False)
        loop.add_signal_handler(IN, self._switch, True)
        return await super().__aenter__()

    def _switch(self, to_in: bool) -> None:
        self._switching = asyncio.create_task(self._put_in() if to_in else self._take_out())

    async def _put_in(self) -> None:
        await super().__aenter__()
        self._is_in = True

    async def _take_out(self) -> None:
        self._is_in = False
        await super().__aexit__()

    def admitted(self, partner: str) -> Permit | None:
        """As Breakers.admitted."""
        return super().admitted(partner) if self._is_in else _FREE_PASS[partner]

    def peek(self, partner: str) -> BreakerOpen | None:
        """As Breakers.peek."""
        return super().peek(partner) if self._is_in else None

    async def admit(self, partner: str, past_breaker: bool = False) -> Permit:
        """As Breakers.admit."""
        return await super().admit(partner, past_breaker) if self._is_in else _FREE_PASS[partner]

    async def record(
        self, permit: Permit, outcome: Outcome, duration_s: float, error: str | None = None
    ) -> None:
        """As Breakers.record."""
        if self._is_in:
            await super().record(permit, outcome, duration_s, error)


if __name__ == "__main__":
    with patch.object(worker, "Breakers", SwitchedBreakers):
        worker.main()
