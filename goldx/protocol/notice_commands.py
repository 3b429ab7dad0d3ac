"""The commands of the venue's notices to its members."""

from typing import ClassVar, Final, TypeAlias

from goldx.protocol.bases import MemberCommand, OperatorCommand

VENUE: Final = "VENUE"
"""The code of the member that is the venue itself."""
NOTICE_RULES: Final = 1
"""The version of the rules for notices that gateways send in ``NoticePublish.rules``."""


class NoticePublish(OperatorCommand, tag=60, frozen=True):
    """Publishes a notice to everybody, in English and if wanted in Chinese.

    ``to_acknowledge``: every member that has an account in use now has to acknowledge it. ``replaces``: the number of
    an earlier notice, which counts no longer and need not be acknowledged any more. ``rules``, which the gateway sets:
    from 1 on the venue itself, the member VENUE, does not have to acknowledge it. 0 in journals that are older than the
    field.
    """

    method: ClassVar[str] = "notice.publish"
    title: str
    text: str
    title_zh: str | None = None
    text_zh: str | None = None
    to_acknowledge: bool = False
    replaces: int | None = None
    by: str = ""
    rules: int = 0


class NoticeAcknowledge(MemberCommand, tag=61, frozen=True):
    """Says for the member of an account that it has taken note of a notice."""

    method: ClassVar[str] = "notice.acknowledge"
    account: str
    notice_id: int


NoticeCommand: TypeAlias = NoticePublish | NoticeAcknowledge
