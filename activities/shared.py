"""What the activities of one worker share."""

from collections.abc import Mapping
from dataclasses import dataclass

from activities.journal import Journal
from guard.pacing import Pace
from guard.view import Breakers
from record.pool import Pool
from trip.partner import Partner


@dataclass(frozen=True)
class Shared:
    """What this worker knows of all partners, and where it writes."""

    breakers: Breakers
    paces: Mapping[Partner, Pace]
    pool: Pool
    journal: Journal
