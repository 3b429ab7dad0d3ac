"""Random choices for generated sequences, from Hypothesis or from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Dice(Protocol):
    """A source of choices."""

    def choose(self, options: Sequence[T]) -> T: ...

    def number(self, lowest: int, largest: int) -> int: ...


@dataclass
class HypothesisDice:
    """Choices from Hypothesis, which shrinks a sequence that fails."""

    data: st.DataObject

    def choose(self, options: Sequence[T]) -> T:
        return self.data.draw(st.sampled_from(options))

    def number(self, lowest: int, largest: int) -> int:
        return self.data.draw(st.integers(lowest, largest))


@dataclass
class SeededDice:
    """Choices from a seed, for long runs."""

    random: Random

    def choose(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def number(self, lowest: int, largest: int) -> int:
        return self.random.randint(lowest, largest)
