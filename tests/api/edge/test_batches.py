"""A batch is handled by one caller at a time, however its turns and its answers come between each other."""

import json
from collections import deque
from random import Random

import pytest

from api.edge import rpc
from api.edge.rpc import Request

SEEDS = range(40)


def message(methods: list[str]) -> bytes:
    return json.dumps([{"jsonrpc": "2.0", "id": n, "method": method} for n, method in enumerate(methods)]).encode()


def test_answers_between_two_turns_of_a_batch_wake_nobody() -> None:
    """A turn had ended in the middle of a batch, and the answer to its first command came before the next turn."""
    asked: list[Request] = []
    sent: list[bytes] = []
    woken: list[None] = []
    batch = rpc.handle(message(["order.place"] * 3), sent.append, asked.append, lambda: None)
    assert batch is not None
    batch.wake = lambda: woken.append(None)
    assert batch.step()
    asked[0].succeed({})
    assert batch.step()
    asked[1].succeed({})
    assert not batch.step()
    assert woken == []
    asked[2].succeed({})
    assert len(json.loads(b"".join(sent))) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_each_request_is_handled_once_in_order_whenever_answers_come(seed: int) -> None:
    random = Random(seed)
    methods = [random.choice(("order.place", "order.cancel", "market.book", "order.list")) for _ in range(20)]
    asked: list[Request] = []
    answered = 0
    sent: list[bytes] = []
    batch = rpc.handle(message(methods), sent.append, asked.append, lambda: None)
    assert batch is not None
    turns = deque([batch.step])
    batch.wake = lambda: turns.append(batch.step)
    while answered < len(methods):
        if turns and (answered == len(asked) or random.random() < 0.5):
            step = turns.popleft()
            if step():
                turns.append(step)
        else:
            query = asked[answered].method not in ("order.place", "order.cancel")
            assert not query or answered == len(asked) - 1, "a query waits, and what comes after it waits for it"
            asked[answered].succeed({})
            answered += 1
        assert len(turns) <= 1
    assert [request.method for request in asked] == methods
    assert [answer["id"] for answer in json.loads(b"".join(sent))] == list(range(len(methods)))
