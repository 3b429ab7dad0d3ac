"""Settings of Python's garbage collector for processes that hold a million objects: no long pause, and little work.

Objects that exist at the start are exempt. Later ones are collected in larger steps than by Python's default, whose
many small collections cost a busy gateway a third of its time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

ENGINE_YOUNG: Final = 1_000
"""Net allocations of containers before the youngest generation is collected.

Every third time the middle generation is collected too. That is the longest pause there is: some three thousand
containers, each as far away in memory as a resting order.
"""
SERVICE_YOUNG: Final = 20_000


def tune_for_engine() -> None:
    """Collect the young generations in small steps, and the old one never.

    The core needs no collector: an order that ends releases its neighbours, its level and its client id, so reference
    counting frees everything at once. What remains are cycles of the libraries around it (tasks, exceptions), which die
    young. A collection of the old generation would walk through every open order.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ENGINE_YOUNG, 2, 1_000_000_000)


def tune_for_service() -> None:
    """Collect in large steps, and the old generation once in two million containers: for gateways and settlement.

    Sessions that ended leave cycles behind. Orders and events are not looked at: their records are no containers to
    the collector (``gc=False``).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(SERVICE_YOUNG, 10, 10)


@contextmanager
def paused() -> Iterator[None]:
    """Switch the collector off while a block makes many objects that stay; they are exempt from then on."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
