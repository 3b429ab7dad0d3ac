"""The exception for well-formed requests that settlement does not allow."""


class Refused(Exception):
    """The rules or the present state do not allow an act; nothing was changed.

    ``reason`` is for programs (``ILLEGAL_STEP``, ``SAME_PERSON``, ``NO_PRICE``, ...), the text for people.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
