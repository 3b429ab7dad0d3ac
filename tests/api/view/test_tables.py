"""The gateway's tables behave like dicts."""

from hypothesis import given
from hypothesis import strategies as st

from api.view.tables import CHUNK_SIZE, NameTable, NumberTable

NUMBERS = st.lists(st.integers(1, 3 * CHUNK_SIZE), unique=True, max_size=50).map(sorted)


@given(NUMBERS, st.integers(0, 3 * CHUNK_SIZE))
def test_numbered_is_a_dict(numbers: list[int], asked: int) -> None:
    table = NumberTable((number, f"order {number}") for number in numbers)
    model = {number: f"order {number}" for number in numbers}
    assert (list(table.items()), list(table.values())) == (list(model.items()), list(model.values()))
    for number in (asked, *numbers):
        assert table.get(number) == model.get(number)
        if number in model:
            assert table[number] == model[number]
        else:
            try:
                table[number]
            except KeyError:
                continue
            raise AssertionError(f"{number} is not there")


@given(
    st.sampled_from((0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, 3 * CHUNK_SIZE)),
    st.lists(st.integers(0, 4 * CHUNK_SIZE), max_size=20),
)
def test_named_is_a_dict(before: int, names: list[int]) -> None:
    table, model = NameTable[int](), dict[str, int]()
    for value, name in enumerate([*range(before), *names]):
        table.put(f"o{name}", value)
        model[f"o{name}"] = value
    for name in (0, before, 5 * CHUNK_SIZE, *names):
        assert table.get(f"o{name}") == model.get(f"o{name}")
    assert dict(table.items()) == model
    assert dict(NameTable(table.items()).items()) == model


def test_no_chunk_grows_large() -> None:
    numbered, named = NumberTable[int](), NameTable[int]()
    for number in range(1, 10 * CHUNK_SIZE):
        numbered.put(number, number)
        named.put(f"o{number}", number)
    sizes = [*map(len, numbered._chunks.values()), *map(len, named._chunks)]
    assert max(sizes) == CHUNK_SIZE


@given(st.lists(st.integers(1, 4 * CHUNK_SIZE), unique=True, max_size=50).map(sorted), st.integers(1, 4))
def test_what_is_forgotten_is_gone_and_the_rest_is_there_all_the_time(numbers: list[int], kept_of_four: int) -> None:
    numbered, named, model = NumberTable[int](), NameTable[int](), dict[int, int]()
    every = [*range(1, CHUNK_SIZE, 7), *range(CHUNK_SIZE, 2 * CHUNK_SIZE), *numbers]
    for value, number in enumerate(dict.fromkeys(every)):
        numbered.put(number, value)
        named.put(f"o{number}", value)
        model[number] = value

    def keep(value: int) -> bool:
        return value % 4 < kept_of_four

    left = {number: value for number, value in model.items() if keep(value)}
    some = list(left.items())[::50]
    looked = [0, 0]
    for index, steps in enumerate((numbered.forget(keep), named.forget(keep))):
        for count in steps:
            looked[index] += count
            assert count <= CHUNK_SIZE
            assert all(numbered.get(number) == value == named.get(f"o{number}") for number, value in some)
    assert looked[0] == len(model)
    assert {number: numbered.get(number) for number in model} == {number: left.get(number) for number in model}
    assert {number: named.get(f"o{number}") for number in model} == {number: left.get(number) for number in model}
    named.put("new", 1)
    assert named.get("new") == 1
    assert max(map(len, named._chunks)) <= CHUNK_SIZE
    assert len(named._chunks) <= 2 * len(left) // CHUNK_SIZE + 2
