"""Python's garbage collector in a process with a million orders: never a long pause.

The core needs no collector: an order that ends lets go of its neighbours, its level and its client id, so counting
references frees everything at once. What is left for the collector are cycles of the libraries around it (tasks,
exceptions), which die young. So only the two young generations are collected, in small helpings; the old one, where
every open order would be walked through, is not.
"""

import gc

YOUNG = 2_000
"""Containers allocated, net, before the youngest generation is looked at; five times that for the middle one."""


def calm() -> None:
    """Sets the collector of this process up for the core. What there is already is exempt from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 5, 1_000_000_000)
