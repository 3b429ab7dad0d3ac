"""A damage is a name, and a function that plants it into an evening and says what has to be found."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from tests.settlement.planted.evening import Evening

Plant = Callable[[AsyncConnection, Evening, Random], Awaitable[None]]


class Damage(NamedTuple):
    """One way in which a day can be wrong; a decoy only looks wrong, and nothing may be found."""

    name: str
    plant: Plant


def named(*plants: Plant) -> tuple[Damage, ...]:
    """Return damages under the names of the functions that plant them."""
    return tuple(Damage(plant.__name__.replace("_", " "), plant) for plant in plants)
