"""What an audit found, for people and for machines."""

from datetime import datetime

from pydantic import BaseModel

from trip.partner import Partner

SHOWN_IN_FLIGHT = 20
WIDTH = 22


class Discrepancy(BaseModel):
    """Something that is wrong. `subject` is a trip's id, a row of stock, a member or an account."""

    code: str
    subject: str
    partner: Partner | None = None
    problem: str
    remedy: str

    @property
    def identity(self) -> tuple[str, str, Partner | None]:
        """What makes two looks' findings the same one; figures in the text may differ."""
        return self.code, self.subject, self.partner


class Checked(BaseModel):
    """A check: what it asks, of how many it could be judged, and for how many the answer was no."""

    code: str
    what: str
    judged: int
    wrong: int


class Report(BaseModel):
    """The outcome of an audit.

    `in_flight` names what was not judged: it did not come to rest, or has a status that is not known here.
    `is_behind`: more trips have ended than an audit in windows has time for. The next one goes on.
    """

    at: datetime
    took_s: float
    looks: int
    trips: int
    reservations: int
    checked: list[Checked]
    discrepancies: list[Discrepancy]
    in_flight: list[str]
    needs_attention: list[str]
    is_behind: bool = False


def printed(report: Report) -> str:
    """The report as text for a terminal."""
    lines = [
        f"audit of {report.trips:,} trips and {report.reservations:,} reservations, "
        f"{report.at:%Y-%m-%d %H:%M:%S} UTC, {report.took_s:.1f} s, looks: {report.looks}",
        "",
        f"{'check':<{WIDTH}} {'judged':>9} {'wrong':>6}  what",
        *(f"{c.code:<{WIDTH}} {c.judged:>9,} {c.wrong:>6,}  {c.what}" for c in report.checked),
    ]
    for found in report.discrepancies:
        lines += ["", *_shown(found)]
    lines += ["", *_listed("in flight, not judged", report.in_flight)]
    lines += _listed("trips that need attention", report.needs_attention)
    if report.is_behind:
        lines.append("more trips have ended; the next audit goes on, and then judges the partners' counters")
    lines.append(f"discrepancies: {len(report.discrepancies):,}")
    return "\n".join(lines)


def _shown(found: Discrepancy) -> list[str]:
    where = f"{found.partner} {found.subject}" if found.partner else found.subject
    return [f"{found.code}: {where}", f"  wrong:  {found.problem}", f"  remedy: {found.remedy}"]


def _listed(title: str, names: list[str]) -> list[str]:
    shown = [f"  {name}" for name in names[:SHOWN_IN_FLIGHT]]
    more = len(names) - len(shown)
    return [f"{title}: {len(names):,}", *shown, *([f"  and {more:,} more"] if more else [])]
