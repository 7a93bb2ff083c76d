"""The journal of failed attempts never stands in a call's way."""

import logging

import pytest
from temporalio.testing import ActivityEnvironment

from activities.attempt import AttemptFailed, gives_up, unavailable
from activities.journal import Journal
from record.pool import open_pool
from trip.attempts import AttemptOutcome
from trip.partner import Partner, Verb

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


def fail(kept: Journal) -> None:
    """One attempt that fails."""
    with pytest.raises(AttemptFailed), kept.noting(Verb.RESERVE, Partner("hotel")):
        raise gives_up(unavailable("no answer", 1), AttemptOutcome.UNANSWERED)


async def test_what_finds_no_record_is_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with open_pool(NOWHERE) as pool:
        kept = Journal(pool)
        for _ in range(5):
            ActivityEnvironment().run(fail, kept)
        with caplog.at_level(logging.WARNING):
            async with kept.writing():
                pass
    assert caplog.records[-1].getMessage().startswith("5 failed attempts")
