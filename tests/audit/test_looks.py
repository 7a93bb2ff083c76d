"""What several looks make of what each of them shows."""

from audit.findings import Findings
from audit.judge import Verdict, judge
from tests.audit.hand_made import BOOKED, GOING, sound, with_trip


def wrong() -> Verdict:
    return judge(with_trip(sound(), BOOKED, total_minor=1))


def test_one_look_convicts_nobody() -> None:
    findings = Findings()
    findings.add(wrong())
    assert not findings.confirmed
    assert BOOKED in findings.in_flight
    findings.add(judge(sound()))
    findings.add(wrong())
    assert not findings.confirmed


def test_two_looks_in_a_row_do() -> None:
    findings = Findings()
    findings.add(wrong())
    findings.add(wrong())
    assert [found.subject for found in findings.confirmed.values()] == [BOOKED]
    assert findings.in_flight == [GOING]


def test_later_traffic_is_left_to_the_next_audit() -> None:
    findings = Findings()
    at_rest = judge(sound())
    for in_flight in ({"a", "b"}, {"b", "c"}, {"c"}):
        findings.add(Verdict(at_rest.tallies, frozenset(in_flight), ()))
    assert findings.in_flight == []
    assert findings.is_settled
