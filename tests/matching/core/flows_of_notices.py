"""Generated notices: published, replaced and acknowledged, by members that have to and by others."""

from typing import TYPE_CHECKING

from goldx.protocol.commands import AnyCommand
from goldx.protocol.notice_commands import NoticeAcknowledge, NoticePublish

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow


def notice(flow: "Flow") -> AnyCommand:
    """Publish a notice, which some members acknowledge, or acknowledge one that may wait or not."""
    newest = flow.engine.state.last_notice_id
    if flow.chance(30):
        return acknowledgement(flow, newest - flow.dice.number(-1, 2))
    flow.queued += [acknowledgement(flow, newest + 1) for _ in range(flow.dice.number(0, 3))]
    replaces = flow.maybe(40, lambda: newest - flow.dice.number(-1, 2))
    title_zh = flow.maybe(50, lambda: "金库")
    return NoticePublish("Vault", "It is closed.", title_zh, None, flow.chance(70), replaces, "ann", rules=1)


def acknowledgement(flow: "Flow", number: int) -> AnyCommand:
    account = "nobody" if flow.chance(5) else flow.account()
    return NoticeAcknowledge(account, number)
