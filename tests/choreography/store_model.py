"""What a participant's store does to a key, as a table. The engines are held to the same table."""

from enum import StrEnum


class Standing(StrEnum):
    """Where a key stands. `refused` is a released key that keeps why."""

    ABSENT = "absent"
    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    REFUSED = "refused"
    EXPIRED = "expired"


class Call(StrEnum):
    """What a store is told to do with a key. It expires a hold by itself."""

    HOLD = "hold"
    CONFIRM = "confirm"
    RELEASE = "release"
    REFUSE = "refuse"
    EXPIRE = "expire"


CHANGES: dict[Call, dict[Standing, Standing]] = {
    Call.HOLD: {Standing.ABSENT: Standing.HELD},
    Call.CONFIRM: {Standing.HELD: Standing.CONFIRMED},
    Call.RELEASE: {
        Standing.ABSENT: Standing.RELEASED,
        Standing.HELD: Standing.RELEASED,
        Standing.CONFIRMED: Standing.RELEASED,
        Standing.EXPIRED: Standing.RELEASED,
    },
    Call.REFUSE: {Standing.ABSENT: Standing.REFUSED},
    Call.EXPIRE: {Standing.HELD: Standing.EXPIRED},
}
"""What changes. All else stays as it is, and its `seq` too."""


def after(standing: Standing, call: Call) -> Standing:
    """Where the key stands after the call."""
    return CHANGES[call].get(standing, standing)


Path = tuple[Standing, ...]


def paths(known: Path = ()) -> list[Path]:
    """Every way that a row can go on, each with the standings that it was in."""
    last = known[-1] if known else Standing.ABSENT
    more = {change[last] for change in CHANGES.values() if last in change}
    return [known, *(path for standing in sorted(more) for path in paths((*known, standing)))]
