"""The refusal of a paper that does not agree with what it is made from, or with what was made before."""

from settlement.base.refusal import Refused


class PaperDiffers(Refused):
    """A paper's figures do not agree with the ledger, the engine, or a paper that was made before (PAPER_DIFFERS)."""

    def __init__(self, text: str) -> None:
        super().__init__("PAPER_DIFFERS", text)
