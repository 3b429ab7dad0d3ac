"""The timer of a session runs out once, never early, and not while a request that starts it waits to be handled."""

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from api.edge.rpc import Batch
from api.sessions.cancel_timer import CANCEL_AFTER, CancelTimer
from goldx.streams.registrations import Registration
from tests.api.sessions.in_process import InProcessGateway

START = 1_000.0
LATE = 10.0
"""Seconds within which a timer has run out in any case."""


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop whose time is given. It calls ``early`` seconds before it was asked to, as a held loop can."""

    def __init__(self, early: float = 0.0) -> None:
        self.now = START
        self.renewed = False
        self.expired: list[float] = []
        self.calls = 0
        self._early = early
        self._number = itertools.count()
        self._asked: list[tuple[float, int, Handle, Callable[[], None]]] = []
        self.timer = CancelTimer(lambda: self.now, self.later, lambda: self.renewed)
        self.timer.expired = lambda: self.expired.append(self.now)

    def later(self, seconds: float, call: Callable[[], None]) -> Handle:
        self.calls += 1
        handle = Handle()
        heapq.heappush(self._asked, (self.now + max(seconds - self._early, 0.0), next(self._number), handle, call))
        return handle

    def run(self, until: float) -> None:
        while self._asked and self._asked[0][0] <= until:
            at, _, handle, call = heapq.heappop(self._asked)
            if not handle.cancelled:
                self.now = max(self.now, at) + 0.0001
                call()
        self.now = max(self.now, until)


def test_it_runs_out_once_and_not_before_its_time_though_the_loop_calls_early() -> None:
    for early in (0.0, 0.3, 5.0):
        loop = Loop(early)
        loop.timer.start(1_000, 7)
        assert (loop.timer.ms, loop.timer.due_at) == (1_000, 1_007)
        loop.run(START + 0.9)
        assert loop.expired == []
        loop.run(START + LATE)
        (at,) = loop.expired
        assert at >= START + 1.0
        assert (loop.timer.ms, loop.timer.due_at) == (1_000, 1_007), "until somebody has cancelled"
        loop.run(START + 10 * LATE)
        assert len(loop.expired) == 1


def test_each_start_moves_the_time_with_one_call_of_the_loop() -> None:
    loop = Loop()
    for step in range(500):
        loop.run(START + step * 0.01)
        loop.timer.start(1_000, 0)
    assert loop.expired == []
    assert loop.calls <= 10, "a call for each second that passed, and not for each start"
    loop.run(START + 4.99 + LATE)
    assert loop.expired[0] >= START + 4.99 + 1.0


def test_a_shorter_time_counts_at_once_and_no_time_is_none() -> None:
    loop = Loop()
    loop.timer.start(3_600_000, 0)
    loop.timer.start(500, 0)
    loop.run(START + 0.6)
    assert len(loop.expired) == 1
    loop.timer.start(500, 0)
    loop.timer.stop()
    assert (loop.timer.ms, loop.timer.due_at) == (0, None)
    loop.run(START + LATE)
    loop.timer.start(500, 20)
    loop.timer.halt()
    assert (loop.timer.ms, loop.timer.due_at) == (500, 520), "what it was set to stays for who closes the session"
    loop.run(START + 2 * LATE)
    assert len(loop.expired) == 1


def test_a_request_that_has_come_is_waited_for_however_long_the_loop_is_held() -> None:
    loop = Loop()
    loop.timer.start(1_000, 0)
    loop.now = START + 5.0  # held, with the request in the socket
    loop.renewed = True
    loop.run(START + 6.0)
    assert loop.expired == []
    loop.renewed = False
    loop.timer.start(1_000, 0)
    loop.run(START + 6.9)
    assert loop.expired == []
    loop.timer.start(1_000, 0)
    loop.renewed = True
    loop.run(START + 20.0)
    loop.renewed = False  # it was refused
    loop.run(START + 20.0 + LATE)
    assert len(loop.expired) == 1


def test_after_it_has_run_out_it_can_be_started_again() -> None:
    loop = Loop()
    for number in range(1, 4):
        loop.timer.start(200, 0)
        loop.run(START + number * LATE)
        assert len(loop.expired) == number


def test_a_session_sees_a_request_among_its_waiting_messages_and_in_a_batch() -> None:
    session = InProcessGateway(fast=True).session
    assert not session.has_waiting(CANCEL_AFTER)
    session._waiting.append(b'{"jsonrpc":"2.0","id":1,"method":"session.cancel_after","params":{"ms":500}}')
    assert session.has_waiting(CANCEL_AFTER)
    session._waiting.clear()
    requests: list[Any] = [7, {"method": "order.list"}, {"method": CANCEL_AFTER}]
    session._batch = Batch(requests, lambda _: None, lambda _: None, lambda: None)
    assert session.has_waiting(CANCEL_AFTER)
    session._batch = Batch(requests[:2], lambda _: None, lambda _: None, lambda: None)
    assert not session.has_waiting(CANCEL_AFTER)


def test_the_orders_of_an_ended_session_wait_for_its_grace_or_its_timer_whichever_is_over_first() -> None:
    hour = 3_600_000
    plain = Registration("M", "key", "h", cancel=False)
    assert not plain.cancels
    assert plain._replace(cancel_after_ms=hour).cancels
    now = 10**15  # far in the future, so that what is over is over by any clock
    cases = (
        (Registration("M", "key", "h"), 0),
        (Registration("M", "key", "h", grace_ms=hour), 1),
        (Registration("M", "key", "h", grace_ms=hour, cancel_after_ms=2 * hour), 1),
        (Registration("M", "key", "h", grace_ms=2 * hour, cancel_after_ms=hour), 1),
        (Registration("M", "key", "h", cancel_after_ms=hour), 0),
        (Registration("M", "key", "h", cancel=False, cancel_after_ms=hour), 1),
        (Registration("M", "key", "h", cancel=False, grace_ms=1, cancel_after_ms=hour), 1),
        (Registration("M", "key", "h", grace_ms=hour, ended_at=1, cancel_after_ms=hour, cancel_at=now), 0),
        (Registration("M", "key", "h", grace_ms=hour, ended_at=now, cancel_after_ms=hour, cancel_at=1), 0),
        (Registration("M", "key", "h", cancel=False, ended_at=1, cancel_after_ms=hour), 0),
        (Registration("M", "key", "h", cancel=False, ended_at=now, cancel_after_ms=hour), 1),
    )
    for registration, hours in cases:
        assert round(registration.grace_left() / 3_600) == hours, registration
