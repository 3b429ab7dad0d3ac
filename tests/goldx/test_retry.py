"""The helper that repeats what fails for a while."""

from itertools import islice, repeat

import pytest

from goldx.retry import growing, is_any_of, retry


class Attempts:
    """An action that raises the errors it is given, one an attempt, and then returns how often it was awaited."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.made = 0

    async def __call__(self) -> int:
        self.made += 1
        if self._errors:
            raise self._errors.pop(0)
        return self.made


def test_pauses_double_up_to_the_longest() -> None:
    assert list(islice(growing(0.25, 3.0), 6)) == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]


async def test_errors_that_pass_are_reported_with_the_next_pause_and_waited_out() -> None:
    reports: list[tuple[str, float]] = []
    action = Attempts(OSError("one"), TimeoutError("two"))
    result = await retry(
        action,
        is_any_of(OSError, TimeoutError),
        growing(0.001, 1.0),
        lambda error, pause: reports.append((str(error), pause)),
    )
    assert result == 3
    assert reports == [("one", 0.001), ("two", 0.002)]


async def test_any_other_error_is_raised_at_once() -> None:
    action = Attempts(OSError("passes"), ValueError("does not"), OSError("never reached"))
    with pytest.raises(ValueError, match="does not"):
        await retry(action, is_any_of(OSError), repeat(0.0))
    assert action.made == 2


async def test_an_error_that_passes_is_raised_once_the_time_is_over() -> None:
    action = Attempts(*[OSError("still away")] * 10_000)
    with pytest.raises(OSError, match="still away"):
        await retry(action, is_any_of(OSError), repeat(0.005), seconds=0.03)
    assert 1 < action.made < 10_000


async def test_a_success_uses_up_no_pause() -> None:
    pauses = growing(1.0, 8.0)
    await retry(Attempts(), is_any_of(OSError), pauses)
    assert next(pauses) == 1.0
