"""Errors that every command may end with; nothing is imported to know them."""


class BadSettings(ValueError):
    """Settings that are not allowed: ``problems`` names each with its value and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotRunning(RuntimeError):
    """Raised when neither a setting nor a running ``goldx serve`` gives the URL of a server."""
