"""What the activities of one worker share."""

from dataclasses import dataclass

from activities.journal import Journal
from guard.guard import Guard
from record.notices import Notices
from record.pool import Pool


@dataclass(frozen=True)
class Shared:
    """The guard of the partners, and where the activities write."""

    guard: Guard
    pool: Pool
    journal: Journal
    notices: Notices
