"""The detail of a refusal is written and read in one place, and nothing else makes one of that form."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldx.protocol.details import ABOUT_FIELDS, FieldDetail, read_detail, write_detail
from goldx.protocol.reasons import REASONS
from goldx.protocol.wire import CODECS
from tests.repository.sources import files, name_of, nodes_of

BY_HAND = re.compile(r"(?:[a-z][a-z0-9_.]*|\{\}): ")


@given(st.sampled_from(sorted(CODECS)), st.text(min_size=1, max_size=40), st.sampled_from(sorted(ABOUT_FIELDS)))
def test_what_is_written_is_read(field: str, allowed: str, reason: str) -> None:
    assert read_detail(reason, write_detail(field, allowed)) == FieldDetail(field, allowed)


def test_words_with_a_colon_are_kept() -> None:
    detail = read_detail("BAD_VALUE", "agreed_at: a time: one that has passed")
    assert detail == FieldDetail("agreed_at", "a time: one that has passed")


@pytest.mark.parametrize("text", [None, "", "side:buy", "Side: buy", "lot 3 side: buy", "side: "])
def test_other_texts_have_no_field(text: str | None) -> None:
    assert read_detail("BAD_VALUE", text) is None


def test_a_chosen_id_is_never_read_as_a_field() -> None:
    """A member may call its order ``quantity: 1``, and the detail of DUPLICATE_ID begins with that."""
    assert read_detail("DUPLICATE_ID", "quantity: 1 is order 5") is None
    assert set(REASONS) >= ABOUT_FIELDS


def texts(node: ast.expr) -> str:
    """Return a string as it is in the source, with ``{}`` for each value put in; an empty one for any other node."""
    if isinstance(node, ast.JoinedStr):
        return "".join("{}" if isinstance(part, ast.FormattedValue) else texts(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_the_core_writes_no_detail_by_hand() -> None:
    found = []
    for file in files("matching/core"):
        nodes = nodes_of(file)
        errors = {id(part) for node in nodes if isinstance(node, ast.Raise) for part in ast.walk(node)}
        strings = (node for node in nodes if isinstance(node, ast.expr) and id(node) not in errors)
        found += [f"{name_of(file)}:{node.lineno}: {texts(node)}" for node in strings if BY_HAND.match(texts(node))]
    assert found == []
