"""The model's notices: nothing is ever forgotten, and who has still to acknowledge one is found from the history."""

from goldx.protocol.notice_commands import NoticeAcknowledge, NoticePublish
from goldx.protocol.notice_events import NoticeAcknowledged, NoticePublished
from tests.matching.core.model_orders import OrderCommands
from tests.matching.core.model_parts import Refused


class Notices(OrderCommands):
    asked: tuple[tuple[str, ...], ...] = ()
    """By notice: the members that had to acknowledge it."""
    acknowledged: frozenset[tuple[int, str]] = frozenset()
    replaced: frozenset[int] = frozenset()

    def do_notice_publish(self, c: NoticePublish) -> None:
        if c.replaces is not None and c.replaces not in range(1, len(self.asked) + 1):
            raise Refused("UNKNOWN_NOTICE")
        in_use = {account.member for account in self.accounts.values() if not account.retired}
        asked = in_use - {"VENUE"} if c.rules >= 1 else in_use
        members = tuple(name for name in self.members if name in asked) if c.to_acknowledge else ()
        self.asked += (members,)
        self.replaced |= {c.replaces or 0}
        texts = c.title, c.text, c.title_zh, c.text_zh, c.by
        self.emit(NoticePublished, len(self.asked), *texts, members or None, c.replaces)

    def do_notice_acknowledge(self, c: NoticeAcknowledge) -> None:
        member = self.account(c.account).member
        if member not in self.waiting().get(c.notice_id, []):
            raise Refused("UNKNOWN_NOTICE")
        self.acknowledged |= {(c.notice_id, member)}
        self.emit(NoticeAcknowledged, c.account, member, c.notice_id)

    def waiting(self) -> dict[int, list[str]]:
        """Return the members that have still to acknowledge, by notice."""
        found = {
            number: [name for name in members if (number, name) not in self.acknowledged]
            for number, members in enumerate(self.asked, 1)
            if number not in self.replaced
        }
        return {number: members for number, members in found.items() if members}
