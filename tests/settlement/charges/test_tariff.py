"""The tariff: a figure changes by two people, from a day to come on."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.charges import tariff
from settlement.charges.tariff import TariffFigure
from settlement.service import movements
from settlement.tables.charges import tariff as tariffs
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    SmallExchange,
    do,
    refused,
    rewrite,
)


async def test_a_figure_of_the_tariff_is_changed_by_two_people(exchange: SmallExchange) -> None:
    tomorrow = working_days.today() + timedelta(days=1)
    proposal = await do(exchange, tariff.propose, ONE, "CODE_TRIES", 3, tomorrow)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    assert (await do(exchange, tariff.on, tomorrow))["CODE_TRIES"] == 5
    await exchange.approve(proposal)
    assert (await do(exchange, tariff.on, working_days.today()))["CODE_TRIES"] == 5
    assert (await do(exchange, tariff.on, tomorrow))["CODE_TRIES"] == 3
    for name, value, day, field in (
        ("SOMETHING", 1, tomorrow, "name"),
        ("CODE_TRIES", -1, tomorrow, "value"),
        ("CODE_TRIES", 1, working_days.today(), "from_day"),
        ("CODE_TRIES", 1, tomorrow, "from_day"),
    ):
        with pytest.raises(BadValue) as bad:
            await do(exchange, tariff.propose, ONE, name, value, day)
        assert bad.value.field == field


async def test_a_figure_whose_day_has_begun_is_only_declined(exchange: SmallExchange) -> None:
    """The fees of that day may be accrued, and those of missed days would get another rate than those before them."""
    tomorrow = working_days.today() + timedelta(days=1)
    proposal = await do(exchange, tariff.propose, ONE, "STORAGE_OWN", 999, tomorrow)
    await rewrite(exchange, update(tariffs).values(from_day=working_days.today()))
    why = await refused(exchange, "TOO_LATE", movements.approve, OTHER, proposal)
    assert why == f"tariff 1 was to hold from {working_days.today()} on; it can only be declined"
    assert (await do(exchange, tariff.on, tomorrow))["STORAGE_OWN"] == 180
    await do(exchange, movements.decline, OTHER, proposal)
    assert (await do(exchange, tariff.on, tomorrow))["STORAGE_OWN"] == 180


def test_a_figure_is_read_and_shown_by_its_measure_and_not_by_the_words_of_its_unit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, figure in tariff.FIGURES.items():
        value, unit = tariff.shown(name, figure.value)
        assert (tariff.parse(name, value), unit) == (figure.value, figure.unit_shown), name
    shown = {
        name: tariff.shown(name, tariff.FIGURES[name].value) for name in ("LOAD_IN", "LOAD_OUT_MINIMUM", "CODE_TRIES")
    }
    assert shown == {
        "LOAD_IN": ("2.00", "CNY per kg, part of a kg as one"),
        "LOAD_OUT_MINIMUM": ("10", "g of fine gold"),
        "CODE_TRIES": ("5", "wrong pick-up codes"),
    }
    assert {figure.unit for figure in tariff.FIGURES.values() if figure.measure is not tariff.Measure.NUMBER} == {
        "fen per kg and day",
        "fen per kg, part of a kg as one",
        "fen per g",
        "mg of fine gold",
    }
    misleading = TariffFigure(7, tariff.Measure.NUMBER, "fen coins", "test")
    monkeypatch.setattr(tariff, "FIGURES", {"COINS": misleading})
    assert (tariff.shown("COINS", 7), tariff.parse("COINS", "7")) == (("7", "fen coins"), 7)
