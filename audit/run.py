"""The audit: looks at the system until what it can judge is judged, and no longer than it is told."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime

from audit.endpoints import Endpoints
from audit.errors import AuditError
from audit.findings import Findings
from audit.judge import CHECKS, Verdict, judge
from audit.look import look, opened
from audit.report import Checked, Report

__all__ = ["AuditError", "Endpoints", "audit"]

LOOKS = 5
PAUSE_S = 1.0
LIMIT_S = 600.0


async def audit(
    endpoints: Endpoints, *, looks: int = LOOKS, pause_s: float = PAUSE_S, limit_s: float = LIMIT_S
) -> Report:
    """Hold everything at the endpoints against each other, with at most `looks` looks `pause_s` apart.

    A discrepancy that is reported was seen in two looks. Nothing is written. Raises AuditError where
    something does not answer, or not within `limit_s` seconds in all.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await _audit(endpoints, looks, pause_s)
    except TimeoutError as error:
        raise AuditError(f"the audit took longer than {limit_s:g} s") from error


async def _audit(endpoints: Endpoints, looks: int, pause_s: float) -> Report:
    at, started = datetime.now(UTC), time.monotonic()
    findings = Findings()
    async with opened(endpoints) as sources:
        while True:
            facts = await look(sources)
            verdict = await asyncio.to_thread(judge, facts)  # seconds of work, where trips are many
            findings.add(verdict)
            if findings.is_settled or findings.looks >= looks:
                break
            await asyncio.sleep(pause_s)
    return Report(
        at=at,
        took_s=time.monotonic() - started,
        looks=findings.looks,
        trips=len(facts.trips) + len(facts.unreadable),
        reservations=sum(len(partner.after) for partner in facts.partners.values()),
        checked=_checked(verdict, findings),
        discrepancies=list(findings.confirmed.values()),
        in_flight=findings.in_flight,
        needs_attention=list(verdict.needs_attention),
    )


def _checked(verdict: Verdict, findings: Findings) -> list[Checked]:
    wrong = Counter(found.code for found in findings.confirmed.values())
    return [
        Checked(code=check.code, what=check.what, judged=tally.judged, wrong=wrong[check.code])
        for check, tally in zip(CHECKS, verdict.tallies, strict=True)
    ]
