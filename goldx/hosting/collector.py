"""Python's garbage collector in processes that hold a million orders: no long pause, and little work.

What there is at the start is exempt, and only what is allocated from then on is looked at, in larger helpings than
Python's own, whose many small ones cost a busy gateway a third of its time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 1_000
"""Containers allocated, net, before the youngest generation is looked at; every third time the middle one is too, and
that is the longest pause there is: some three thousand containers, each as far away in memory as a resting order."""
GATEWAY_YOUNG = 20_000


def calm() -> None:
    """For the core: the old generation is never collected.

    The core needs no collector: an order that ends lets go of its neighbours, its level and its client id, so counting
    references frees everything at once. What is left are cycles of the libraries around it (tasks, exceptions), which
    die young. In the old generation every open order would be walked through.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 2, 1_000_000_000)


def gentle() -> None:
    """For a gateway and for settlement: the old generation is collected too, once in two million containers, net.

    Sessions that ended leave cycles behind. Orders and events are no containers to the collector (``gc=False``).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GATEWAY_YOUNG, 10, 10)


@contextmanager
def off() -> Iterator[None]:
    """No collection while a block makes many objects that stay; they are exempt from then on."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
