"""How partners behave in the search: each one is a way into another end of the saga."""

from datetime import UTC, datetime, timedelta

from tests.workflows.world import Behaviour, World, away
from trip.partner import PAYMENT, Partner, ReservationStatus, Verb

_HOTEL, _TOUR, _FLIGHT = Partner("hotel"), Partner("tour"), Partner("flight")
START = datetime(2030, 1, 1, tzinfo=UTC)
"""When each trip of the search begins."""

Call = tuple[Verb, Partner]


def well(_world: World, _verb: Verb, _partner: Partner) -> None:
    """Every call is answered."""


def declined(world: World, verb: Verb, partner: Partner) -> None:
    """The card is declined."""
    if (verb, partner) == (Verb.RESERVE, PAYMENT):
        raise world.refusal("declined")


def refused_side_by_side(world: World, verb: Verb, partner: Partner) -> None:
    """One of three holds that are sent together is refused."""
    if (verb, partner) == (Verb.RESERVE, _TOUR):
        raise world.refusal("sold_out")


def expires_amid_confirmations(world: World, verb: Verb, partner: Partner) -> None:
    """A hold expires when the payment is captured: its confirmation is refused."""
    is_held = world.reservations.get(_HOTEL) is ReservationStatus.HELD
    if (verb, partner) == (Verb.CONFIRM, _HOTEL) and is_held:
        world.reservations[_HOTEL] = ReservationStatus.EXPIRED


def expires_before_the_capture(world: World, verb: Verb, partner: Partner) -> None:
    """A hold has too little time left when everything is held."""
    is_short = (verb, partner) == (Verb.RESERVE, _TOUR)
    world.expires_at = START + timedelta(seconds=1) if is_short else None


def unanswered(call: Call, times: int, *, takes_effect: bool, also: Behaviour = well) -> Behaviour:
    """A call fails so many times. With `takes_effect` it is done each time, and only the answer is lost."""

    def behaviour(world: World, verb: Verb, partner: Partner) -> None:
        also(world, verb, partner)
        if (verb, partner) == call and world.failures < times:
            world.failures += 1
            if takes_effect:
                world.take_effect(verb, partner)
            raise away()

    return behaviour


BEHAVIOURS: dict[str, Behaviour] = {
    "well": well,
    "declined": declined,
    "refused side by side": refused_side_by_side,
    "expires amid confirmations": expires_amid_confirmations,
    "expires before the capture": expires_before_the_capture,
    "a hold's answer is lost": unanswered((Verb.RESERVE, _FLIGHT), 1, takes_effect=True),
    "a hold is not answered": unanswered((Verb.RESERVE, _FLIGHT), 2, takes_effect=True),
    "the capture's answer is lost": unanswered((Verb.CONFIRM, PAYMENT), 1, takes_effect=True),
    "the capture is stuck": unanswered((Verb.CONFIRM, PAYMENT), 3, takes_effect=False),
    "a confirmation is stuck": unanswered((Verb.CONFIRM, _TOUR), 3, takes_effect=False),
    "a release is stuck": unanswered((Verb.RELEASE, _TOUR), 3, takes_effect=False, also=declined),
    "a refund is stuck": unanswered(
        (Verb.RELEASE, PAYMENT), 3, takes_effect=True, also=expires_amid_confirmations
    ),
}
