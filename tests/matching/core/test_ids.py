"""The table of client ids behaves like a dict that keeps the first number."""

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from matching.core.ids import FIRST_SIZE, PART_COUNT, ClientIds

CLAIMS = st.lists(st.tuples(st.integers(0, 3 * FIRST_SIZE), st.booleans()), max_size=20)


@given(st.sampled_from((0, FIRST_SIZE - 5, FIRST_SIZE - 1, FIRST_SIZE, FIRST_SIZE + 1, 2 * FIRST_SIZE)), CLAIMS)
@settings(deadline=None)
def test_an_id_keeps_its_first_number(busy: int, claims: list[tuple[int, bool]]) -> None:
    ids, model = ClientIds(), dict[str, int]()
    for number, (name, claimed) in enumerate([*((n, True) for n in range(busy)), *claims], 1):
        client_id = f"o{name}"
        if claimed:
            assert ids.claim(client_id, number) == model.setdefault(client_id, number)
        assert ids.find(client_id) == model.get(client_id, 0)
    assert ids.items() == sorted(model.items(), key=lambda item: item[1])
    assert ids.count() == len(model)
    assert ClientIds(ids.items()).items() == ids.items()


def test_ids_after_the_first_are_spread_over_the_parts() -> None:
    ids = ClientIds((f"o{number}", number) for number in range(1, FIRST_SIZE + 1))
    assert not ids.parts
    for number in range(FIRST_SIZE + 1, 100 * FIRST_SIZE):
        ids.claim(f"o{number}", number)
    assert (len(ids.first), len(ids.parts)) == (FIRST_SIZE, PART_COUNT)
    assert max(map(len, ids.parts)) < 2 * 100 * FIRST_SIZE // PART_COUNT


def test_the_order_of_ids_does_not_depend_on_hashes() -> None:
    """Engines with different hash seeds have the same snapshots, whichever parts the ids are in."""
    program = (
        "from matching.core.ids import ClientIds; "
        "print(ClientIds((f'o{n}', n // 2) for n in range(2, 9000)).items()[-9:])"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(shown) == 1
