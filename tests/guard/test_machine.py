"""The breaker in the real PostgreSQL, several connections interleaved, against a model in Python."""

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from guard.models import Override
from guard.permit import Permit
from guard.policy import Outcome, State, should_trip
from tests.guard.fleet import POLICY, Fleet
from tests.patience import PATIENCE_S

T = TypeVar("T")

CALLERS = 3
MACHINE_POLICY = POLICY.model_copy(update={"min_calls": 4, "failures_in_a_row": 3, "half_open_calls": 2})
callers = st.integers(0, CALLERS - 1)
outcomes = st.sampled_from([Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE, Outcome.SLOW, Outcome.IGNORED])


@dataclass
class Model:
    """What the breaker ought to do, for one caller at a time. `generation` stands for its fence."""

    now: float = 0
    state: State = State.CLOSED
    override: Override | None = None
    generation: int = 0
    opens: int = 0
    open_until: float | None = 0  # None until the database has told its draw
    lease_until: float | None = None
    successes: int = 0
    in_a_row: int = 0
    streak: int = 0
    window: list[tuple[float, Outcome]] = field(default_factory=list)

    def lets_in(self) -> bool:
        if self.override is not None:
            return self.override == "closed"
        if self.state is State.OPEN:
            return self.left() == 0
        return self.lease_until is None or self.now >= self.lease_until

    def left(self) -> float:
        assert self.open_until is not None
        return max(0.0, self.open_until - self.now)

    def let_in(self) -> int:
        if self.state is State.OPEN:
            self.move(State.HALF_OPEN)
        if self.state is State.HALF_OPEN:
            self.generation += 1
            self.lease_until = self.now + MACHINE_POLICY.probe_lease_s
        return self.generation

    def live(self) -> list[Outcome]:
        return [outcome for at, outcome in self.window if at > self.now - MACHINE_POLICY.window_s]

    def answer(self, generation: int, probe: bool, outcome: Outcome) -> None:
        if generation != self.generation or self.state is State.OPEN:
            return
        if probe:
            self.settle(outcome)
        elif outcome is not Outcome.IGNORED:
            self.window.append((self.now, outcome))
            live = self.live()
            counts = len(live), live.count(Outcome.FAILURE), live.count(Outcome.SLOW)
            self.in_a_row = 0 if outcome is Outcome.SUCCESS else self.in_a_row + 1
            trips = outcome is not Outcome.SUCCESS and should_trip(MACHINE_POLICY, *counts, self.in_a_row)
            if self.override != "closed" and trips:
                self.open()

    def settle(self, outcome: Outcome) -> None:
        self.generation += 1
        self.lease_until = None
        if outcome in {Outcome.FAILURE, Outcome.SLOW}:
            self.open()
        elif outcome is Outcome.SUCCESS:
            self.successes += 1
            if self.successes == MACHINE_POLICY.half_open_calls:
                self.close()

    def health(self, healthy: bool) -> None:
        self.streak = max(self.streak, 0) + 1 if healthy else min(self.streak, 0) - 1
        if healthy:
            if self.state is State.OPEN and self.streak >= self.opens:
                self.move(State.HALF_OPEN)
        elif self.state is State.OPEN:
            self.open_until = self.now + max(self.left(), MACHINE_POLICY.open_s)
        elif self.state is State.CLOSED:
            if self.override != "closed" and -self.streak >= MACHINE_POLICY.health_failures:
                self.open()
        elif self.lease_until is None or self.now >= self.lease_until:
            self.move(State.OPEN)
            self.open_until = self.now + MACHINE_POLICY.open_s

    def overrule(self, override: Override | None) -> None:
        self.override = override
        if override == "closed" and self.state is not State.CLOSED:
            self.close()

    def open(self) -> None:
        self.opens += 1
        self.open_until = None
        self.move(State.OPEN)

    def close(self) -> None:
        self.opens = 0
        self.window.clear()
        self.move(State.CLOSED)

    def move(self, state: State) -> None:
        self.state = state
        self.generation += 1
        self.lease_until = None
        self.successes = 0
        self.in_a_row = 0
        self.streak = 0


class BreakerMachine(RuleBasedStateMachine):
    loop: asyncio.AbstractEventLoop
    connections: "list[asyncpg.Connection[Any]]"

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.fleet = Fleet(self.connections, MACHINE_POLICY)
        self.out: list[tuple[Permit, int]] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds: int) -> None:
        self.model.now += seconds
        self.run(self.fleet.advance(seconds))

    @precondition(lambda self: self.model.state is State.OPEN)
    @rule(early=st.sampled_from([0, 1]))
    def the_open_time_passes(self, early: int) -> None:
        self.time_passes(math.ceil(max(0.0, self.model.left() - early)))

    @rule(caller=callers)
    def one_asks(self, caller: int) -> None:
        self.take(self.run(self.fleet.admit(caller)), self.model.lets_in())

    @rule()
    def all_ask_at_once(self) -> None:
        """Every caller of a closed one is let in; of the others at most one, and one if any may be."""
        permits = self.run(self.gather(*(self.fleet.admit(caller) for caller in range(CALLERS))))
        won = [permit for permit in permits if permit is not None]
        if self.model.state is State.CLOSED:
            assert len(won) == (CALLERS if self.model.lets_in() else 0)
        else:
            assert len(won) == self.model.lets_in()
        for permit in won:
            self.take(permit, True)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), outcome=outcomes, caller=callers)
    def one_answers(self, data: st.DataObject, outcome: Outcome, caller: int) -> None:
        """Any call that is still out, also of long ago, and through any connection."""
        permit, generation = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        self.run(self.fleet.answer(permit, outcome, caller))
        self.model.answer(generation, permit.probe, outcome)

    @precondition(lambda self: self.out)
    @rule(outcome=outcomes)
    def all_answer_at_once(self, outcome: Outcome) -> None:
        """The same answer for all, so that their order does not matter to the model."""
        out, self.out = self.out, []
        answers = (self.fleet.answer(permit, outcome, n) for n, (permit, _) in enumerate(out[:CALLERS]))
        self.run(self.gather(*answers))
        for permit, generation in out[:CALLERS]:
            self.model.answer(generation, permit.probe, outcome)

    @rule(caller=callers, outcome=outcomes)
    def one_calls(self, caller: int, outcome: Outcome) -> None:
        before = len(self.out)
        self.one_asks(caller)
        if len(self.out) > before:
            permit, generation = self.out.pop()
            self.run(self.fleet.answer(permit, outcome, caller))
            self.model.answer(generation, permit.probe, outcome)

    @rule(caller=callers, healthy=st.booleans())
    def a_health_check_reports(self, caller: int, healthy: bool) -> None:
        self.run(self.fleet.store(caller).report_health(self.fleet.partner, healthy, None))
        self.model.health(healthy)

    @rule(override=st.sampled_from(["open", "closed", None, None]))
    def a_person_overrules(self, override: Override | None) -> None:
        self.run(self.fleet.store().set_override(self.fleet.partner, override, "because", "ada"))
        self.model.overrule(override)

    def take(self, permit: Permit | None, expected: bool) -> None:
        assert (permit is not None) == expected
        if permit is not None:
            assert permit.probe == (self.model.state is not State.CLOSED)
            self.out.append((permit, self.model.let_in()))

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        return await asyncio.gather(*coroutines)

    @invariant()
    def they_agree(self) -> None:
        breaker = self.run(self.fleet.breaker())
        live = self.model.live()
        assert (breaker.state, breaker.override) == (self.model.state, self.model.override)
        assert (breaker.calls, breaker.failures) == (len(live), live.count(Outcome.FAILURE))
        if self.model.state is State.OPEN:
            self.the_open_time_is_right(self.run(self.fleet.open_left_s()))

    def the_open_time_is_right(self, left: float) -> None:
        """Jitter is the database's own: hold it to its bounds once, then to what it said."""
        if self.model.open_until is None:
            longest = MACHINE_POLICY.open_s * min(MACHINE_POLICY.max_open_factor, 2 ** (self.model.opens - 1))
            assert (longest / 2 if self.model.opens > 1 else longest) <= left <= longest
            self.model.open_until = self.model.now + left
        assert left == pytest.approx(self.model.left(), abs=0.001)


def test_the_breaker_does_what_the_model_does(hand_clock_url: str) -> None:
    loop = asyncio.new_event_loop()
    connections = [
        loop.run_until_complete(
            asyncpg.connect(hand_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
        )
        for _ in range(CALLERS)
    ]

    class Machine(BreakerMachine):
        pass

    Machine.loop, Machine.connections = loop, connections
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=50,
                stateful_step_count=40,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for connection in connections:
            loop.run_until_complete(connection.close(timeout=PATIENCE_S))
        loop.close()
