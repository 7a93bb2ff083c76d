"""Any answer that is found usable keeps every clause of the contract, whatever it looks like."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from trials.orders import bench_order
from trip.answers import Unusable, usable
from trip.calls import Terms
from trip.order import TripOrder
from trip.partner import PAYMENT, POINTS, Partner, Reservation, ReservationStatus, Verb
from trip.plan import agreed

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY, REDEEM = "a-trip", 50
ORDER = TripOrder.model_validate(bench_order(points={"redeem": REDEEM}))

FIT: dict[str, Any] = {
    "key": KEY,
    "reference": "R",
    "status": "held",
    "amount_minor": 10,
    "currency": "JPY",
    "expires_at": "2030-01-01T00:15:00Z",
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
values: dict[str, st.SearchStrategy[Any]] = {
    "key": st.sampled_from([KEY, "another", KEY + " ", KEY.upper()]),
    "reference": st.text(min_size=0, max_size=210),
    "status": st.sampled_from(list(ReservationStatus)),
    "amount_minor": st.integers(-60, 60) | st.sampled_from([10**12, 10**12 + 1, -(10**12) - 1, 10**400]),
    "currency": st.sampled_from(["JPY", "EUR", "jpy", "JPY "]),
    "expires_at": st.datetimes(
        min_value=datetime(2029, 12, 31), max_value=datetime(2030, 1, 2), timezones=st.just(UTC)
    ).map(datetime.isoformat)
    | st.none(),
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A reservation in which some fields have other values, of their own kind or of any, or are missing."""
    document: dict[str, Any] = dict(FIT)
    for name in draw(st.sets(st.sampled_from(list(FIT)), max_size=3)):
        kind = draw(st.sampled_from(["other", "any", "missing"]))
        if kind == "missing":
            del document[name]
        else:
            document[name] = draw(values[name] if kind == "other" else anything)
    return document


def terms_of(verb: Verb, partner: Partner, due: int) -> Terms | None:
    """As the saga makes them; what is confirmed was held at `due`."""
    if verb is Verb.RELEASE:
        return None
    if verb is Verb.RESERVE:
        return agreed(ORDER, partner, abs(due), NOW)
    held_until = NOW - timedelta(minutes=1)
    return Terms(currency="JPY", least_minor=due, most_minor=due, now=NOW, expires_at=held_until)


@settings(max_examples=200)
@given(
    document=documents() | anything,
    verb=st.sampled_from(list(Verb)),
    partner=st.sampled_from(list(Partner)),
    due=st.sampled_from([10, -10, 0]),
    status=st.sampled_from([200, 201, 202, 204]),
)
def test_what_is_usable_keeps_the_contract(
    document: Any, verb: Verb, partner: Partner, due: int, status: int
) -> None:
    try:
        found = usable(verb, KEY, terms_of(verb, partner, due), status, json.dumps(document).encode())
    except Unusable:
        return
    assert status in (200, 201) and isinstance(document, dict)
    assert document["key"] == KEY == found.key
    expected = {Verb.RESERVE: "held", Verb.CONFIRM: "confirmed", Verb.RELEASE: "released"}[verb]
    assert document["status"] == expected or (verb, document["status"], status) == (
        Verb.RESERVE,
        "confirmed",
        200,
    )
    if verb is not Verb.RELEASE:
        assert_priced(document, found, verb, partner, due)


def assert_priced(
    document: dict[str, Any], found: Reservation, verb: Verb, partner: Partner, due: int
) -> None:
    assert 1 <= len(document["reference"]) <= 200
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", document["reference"])
    amount = document["amount_minor"]
    assert type(amount) is int and abs(amount) <= 10**12
    if verb is Verb.CONFIRM:
        assert amount == due
    elif partner is POINTS:
        assert -min(REDEEM, abs(due)) <= amount <= 0
    elif partner is PAYMENT:
        assert amount == abs(due)
    else:
        assert amount >= 0
    assert document["currency"] == "JPY"
    if document.get("expires_at") is not None:
        expires_at = datetime.fromisoformat(document["expires_at"])
        assert expires_at > NOW or (verb, expires_at) == (Verb.CONFIRM, NOW - timedelta(minutes=1))
    assert (found.reference, found.amount_minor) == (document["reference"], amount)


@settings(max_examples=200)
@given(body=st.binary(max_size=300), verb=st.sampled_from(list(Verb)), status=st.integers(200, 299))
def test_no_bytes_break_it(body: bytes, verb: Verb, status: int) -> None:
    try:
        usable(verb, KEY, None, status, body)
    except Unusable as error:
        assert str(error)
