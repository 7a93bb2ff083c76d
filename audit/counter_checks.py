"""Checks of each partner's counters against its own reservations."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial

from audit.expected import Expected, Range, Units, expected_rows
from audit.facts import STOCK_PARTNERS, Claims, Facts, SeenReservation, StockRow
from audit.tally import Check, Tally
from trip.partner import PAYMENT, POINTS, Partner

AUTHORISED, CAPTURED = "authorised", "captured"
"""The accounts of `GET /ledger` that must equal the payments held and confirmed. One that the ledger does
not list counts as 0, so that a ledger with other names is noticed and not passed over."""

ALL_MEMBERS = "all members"
_OWN_RECORDS = "see the partner's own records for a write past its reservations, then correct the counter"


def expected(facts: Facts, partner: Partner) -> dict[str, Expected]:
    """What every row of the partner must show."""
    rows = expected_rows(facts.partners[partner], _UNITS[partner](facts), facts.now)
    for (where, row), units in facts.tallied.items():
        if where == partner and units:
            rows.setdefault(row, Expected()).confirmed.add(units, certain=True)
    return rows


def _stock(facts: Facts, tally: Tally) -> None:
    for partner in STOCK_PARTNERS:
        rows = expected(facts, partner)
        shown = facts.partners[partner].stock
        for name in sorted(rows.keys() | shown.keys()):
            counted = (shown[name].held, shown[name].confirmed) if name in shown else (0, 0)
            _compare(tally, name, partner, rows.get(name, Expected()), counted)


def _claimed_of(partner: Partner, facts: Facts) -> Units:
    """What a reservation takes is known from its trip's order, as its key is the trip's id."""

    def claimed(reservation: SeenReservation) -> Claims:
        trip = facts.trips.get(reservation.key)
        return trip.claims.get(partner, ()) if trip else ()

    return claimed


def _compare(
    tally: Tally, subject: str, partner: Partner, reserved: Expected, counted: tuple[int, int]
) -> None:
    """Judge a row that shows `counted`, held and confirmed."""
    tally.judged += reserved.is_exact
    if counted[0] in reserved.held and counted[1] in reserved.confirmed:
        if not reserved.is_exact:
            tally.moving.append(f"{partner} {subject}")
        return
    problem = (
        f"held {counted[0]} and confirmed {counted[1]}, "
        f"but the trips' reservations make {reserved.held} and {reserved.confirmed}"
    )
    tally.wrong(subject, problem, f"settle reservations without a trip first; {_OWN_RECORDS}", partner)


def _bounds(facts: Facts, tally: Tally) -> None:
    for partner in STOCK_PARTNERS:
        for name, row in facts.partners[partner].stock.items():
            tally.judged += 1
            if problem := _out_of_bounds(row):
                tally.wrong(name, problem, _OWN_RECORDS, partner)


def _out_of_bounds(row: StockRow) -> str | None:
    shown = f"total {row.total}, free {row.free}, held {row.held}, confirmed {row.confirmed}"
    if min(row.total, row.free, row.held, row.confirmed) < 0:
        return f"a counter is below 0: {shown}"
    if row.free != row.total - row.held - row.confirmed:
        return f"free is not what is left of the total: {shown}"
    return None


def _points(facts: Facts, tally: Tally) -> None:
    points = facts.partners[POINTS]
    reserved = expected(facts, POINTS).get(ALL_MEMBERS, Expected())
    held = sum(member.held for member in points.members)
    redeemed = sum(member.opening - member.balance for member in points.members)
    _compare(tally, ALL_MEMBERS, POINTS, reserved, (held, redeemed))


def _members(facts: Facts, tally: Tally) -> None:
    for member in facts.partners[POINTS].members:
        tally.judged += 1
        if member.balance < 0 or member.held < 0:
            problem = f"below 0: balance {member.balance}, held {member.held}"
            tally.wrong(member.member_id, problem, _OWN_RECORDS, POINTS)


def _ledger_sums(facts: Facts, tally: Tally) -> None:
    sums: dict[str, int] = defaultdict(int)
    for account in facts.partners[PAYMENT].accounts:
        sums[account.currency] += account.balance_minor
    for currency, balance in sums.items():
        tally.judged += 1
        if balance:
            remedy = "find the transfer that has one side only in the payment's own books, and complete it"
            tally.wrong(currency, f"the accounts sum to {balance}, not 0", remedy, PAYMENT)


def _ledger(facts: Facts, tally: Tally) -> None:
    payment = facts.partners[PAYMENT]
    balances = {(a.account, a.currency): a.balance_minor for a in payment.accounts}
    rows = expected(facts, PAYMENT)
    for currency in sorted(rows.keys() | {currency for _, currency in balances}):
        row = rows.get(currency, Expected())
        for account, counted in ((AUTHORISED, row.held), (CAPTURED, row.confirmed)):
            balance = balances.get((account, currency), 0)
            _compare_balance(tally, f"{account} {currency}", balance, counted)


def _compare_balance(tally: Tally, subject: str, balance: int, reserved: Range) -> None:
    tally.judged += reserved.is_exact
    if balance not in reserved:
        problem = f"the balance is {balance}, but the payment's reservations make {reserved}"
        remedy = "compare the payment's own transfers with its reservations, and book the difference"
        tally.wrong(subject, problem, remedy, PAYMENT)
    elif not reserved.is_exact:
        tally.moving.append(f"{PAYMENT} {subject}")


def _points_of(_facts: Facts) -> Units:
    return lambda reservation: [(ALL_MEMBERS, -(reservation.amount_minor or 0))]


def _money_of(_facts: Facts) -> Units:
    return lambda reservation: [(reservation.currency or "", reservation.amount_minor or 0)]


_UNITS: dict[Partner, Callable[[Facts], Units]] = {
    **{partner: partial(_claimed_of, partner) for partner in STOCK_PARTNERS},
    POINTS: _points_of,
    PAYMENT: _money_of,
}


COUNTER_CHECKS = (
    Check("stock_differs", "each row of stock equals its trips' reservations", _stock),
    Check("stock_unsound", "each row of stock adds up, and nothing is oversold", _bounds),
    Check("points_differ", "points held and redeemed equal the reservations", _points),
    Check("points_negative", "no member's points are below 0", _members),
    Check("ledger_unbalanced", "each currency of the ledger sums to 0", _ledger_sums),
    Check("ledger_differs", "authorised and captured equal the payments held and confirmed", _ledger),
)
