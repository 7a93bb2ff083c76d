"""Whatever moves between the reads, a counter that is right is never called wrong; at rest it is exact."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from audit.expected import Expected, expected_rows
from audit.facts import PartnerFacts, SeenReservation
from trip.partner import ReservationStatus

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROW = "row"
SEATS = 3

LIVES = (
    ("held",),
    ("released",),
    ("held", "confirmed"),
    ("held", "released"),
    ("held", "expired"),
    ("held", "expired", "released"),
    ("held", "confirmed", "released"),
)
"""Every life that a reservation can have, from its first record on."""


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str | None, str | None, str | None]]:
    """What each reservation was when it was listed, when the counter was read, and when listed again."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        life = (None, *draw(st.sampled_from(LIVES)))
        moments = sorted(draw(st.lists(st.integers(0, len(life) - 1), min_size=3, max_size=3)))
        found.append((life[moments[0]], life[moments[1]], life[moments[2]]))
    return found


def listed(statuses: list[str | None]) -> dict[str, SeenReservation]:
    return {
        str(number): SeenReservation(key=str(number), status=ReservationStatus(status))
        for number, status in enumerate(statuses)
        if status
    }


def expected(before: list[str | None], after: list[str | None]) -> Expected:
    facts = PartnerFacts(listed(before), listed(after))
    return expected_rows(facts, lambda _: [(ROW, SEATS)], NOW).get(ROW, Expected())


@given(lives())
def test_a_right_counter_is_never_called_wrong(
    found: list[tuple[str | None, str | None, str | None]],
) -> None:
    row = expected([before for before, _, _ in found], [after for _, _, after in found])
    then = [status for _, status, _ in found]
    assert then.count("held") * SEATS in row.held
    assert then.count("confirmed") * SEATS in row.confirmed


@given(st.lists(st.sampled_from((None, "held", "confirmed", "released", "expired")), max_size=6))
def test_at_rest_one_value_is_right(statuses: list[str | None]) -> None:
    row = expected(statuses, statuses)
    assert row.is_exact
    assert (row.held.low, row.confirmed.low) == (
        statuses.count("held") * SEATS,
        statuses.count("confirmed") * SEATS,
    )
