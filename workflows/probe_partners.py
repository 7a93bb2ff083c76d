"""ProbePartners: the periodic health check that keeps the breakers true."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from trip.partner import Partner

PROBE_PARTNER = "probe_partner"

_PROBE_S = 8.0


@workflow.defn
class ProbePartners:
    """Asks every partner how it is, side by side, and tells each one's breaker; run by a schedule."""

    @workflow.run
    async def run(self) -> dict[str, str]:
        """What was found, by partner: `ok`, or what is wrong."""
        found = await asyncio.gather(*(self._probe(partner) for partner in Partner))
        return dict(zip(Partner, found, strict=True))

    async def _probe(self, partner: Partner) -> str:
        try:
            found: str = await workflow.execute_local_activity(
                PROBE_PARTNER,
                partner,
                result_type=str,
                summary=partner,
                start_to_close_timeout=timedelta(seconds=_PROBE_S),
                # The next run of the schedule is the retry.
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except FailureError as error:
            return f"not probed: {error.cause or error}"
        return found
