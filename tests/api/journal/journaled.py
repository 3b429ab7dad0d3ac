"""A sequencer alone, on a real journal behind a proxy."""

from api.edge.outcome import Outcome, Refusal
from api.journal.pressure import Share
from api.journal.sequencer import Sequencer
from goldx.protocol.commands import AnyCommand, OrderCancel
from goldx.protocol.events import DayEnded
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.frames import CommandFrame, decode_commands
from goldx.streams.journal import Journal
from tests.faults.proxy import Proxy

CANCEL = OrderCancel("A.H", order_id=7)


class Journaled:
    """A sequencer behind a proxy, the frames in its journal, and the answers that its commands got by name."""

    def __init__(self, sequencer: Sequencer, journal: Journal, proxy: Proxy) -> None:
        self.sequencer = sequencer
        self.proxy = proxy
        self.answers: list[tuple[str, Outcome | Refusal]] = []
        self._journal = journal

    def submit(self, name: str, command: AnyCommand = CANCEL, share: Share | None = None) -> None:
        self.sequencer.submit(command, lambda outcome: self.answers.append((name, outcome)), share)

    async def entries(self) -> list[tuple[Position, bytes]]:
        return await self._journal.read(BEGINNING)

    async def frames(self) -> list[CommandFrame]:
        return [decode_commands(data) for _, data in await self.entries()]

    async def answer_all(self) -> None:
        """Answer each command of the journal's frames with an event of a number of its own, as the engine would."""
        for number, (position, data) in enumerate(await self.entries()):
            outcomes = [outcome(100 * number + index) for index in range(len(decode_commands(data).commands))]
            for answer, one in zip(self.sequencer.take_waiting(position, len(outcomes)), outcomes, strict=False):
                answer(one)


def outcome(number: int) -> Outcome:
    return (DayEnded(number, 1, "2026-11-30"),)
