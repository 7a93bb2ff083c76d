"""What the activities of one worker share."""

from collections.abc import Mapping
from dataclasses import dataclass

from activities.journal import Journal
from breaker.view import Breakers
from domain.pacing import Pace
from domain.partner import Partner
from record.pool import Pool


@dataclass(frozen=True)
class Shared:
    """What this worker knows of all partners, and where it writes."""

    breakers: Breakers
    paces: Mapping[Partner, Pace]
    pool: Pool
    journal: Journal
