"""Tests of small samples in exact integers: no mean and no deviation is ever rounded before it is compared."""

from collections.abc import Sequence


def is_outlier(value: int, history: Sequence[int], sigmas: int) -> bool:
    """Return whether ``value`` lies more than ``sigmas`` standard deviations from the mean of ``history``.

    ``history`` has two values or more; the deviation is that of a sample (divided by n - 1).
    """
    n, total, squares = len(history), sum(history), sum(x * x for x in history)
    return (n * value - total) ** 2 * (n - 1) > sigmas**2 * n * (n * squares - total**2)


def is_biased(differences: Sequence[int], sigmas: int) -> bool:
    """Return whether the mean of ``differences`` (two or more) is more than ``sigmas`` standard errors from zero."""
    n, total, squares = len(differences), sum(differences), sum(x * x for x in differences)
    return total**2 * (n - 1) > sigmas**2 * (n * squares - total**2)
