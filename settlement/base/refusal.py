"""When settlement says no to something that was well formed."""


class Refused(Exception):
    """An act that the rules or the present state do not allow; nothing was changed.

    ``reason`` is what programs read (``ILLEGAL_STEP``, ``SAME_PERSON``, ``NO_PRICE``, ...), the text is for people.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
