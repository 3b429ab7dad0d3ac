"""The life of a lot, of its provenance record and of a class's rule of acceptance; and groups of a lot's states."""

from typing import Final

from settlement.documents.machine import AS_BEFORE, CLERK, ENGINE, Machine, Step, union

_REFUSABLE = ("ARRIVED", "WEIGHED", "SCREENED", "MELTED", "SAMPLED", "ASSAYED", "CERTIFIED")
"""States in which the venue has the lot and may still refuse it: it is not in the register yet."""

LOT: Final = Machine(
    "lot",
    {
        # at the warehouse and the laboratory
        "pre_advise": Step((), "PRE_ADVISED"),
        "cancel": Step(("PRE_ADVISED",), "CANCELLED"),
        "arrive": Step(("PRE_ADVISED",), "ARRIVED"),
        "weigh": Step(("ARRIVED",), "WEIGHED"),
        "screen": Step(("WEIGHED",), "SCREENED"),
        "melt": Step(("SCREENED",), "MELTED"),
        "cast": Step((), "MELTED"),
        "consume": Step(("SCREENED", "CERTIFIED", "REGISTERED"), "CONSUMED"),
        "sample": Step(("SCREENED", "MELTED"), "SAMPLED"),
        "assay": Step(("SAMPLED",), "ASSAYED"),
        "remelt": Step(("SAMPLED", "ASSAYED"), "MELTED"),
        "certify": Step(("ASSAYED",), "CERTIFIED"),
        "register": Step(("CERTIFIED",), "REGISTERED"),
        # the way back
        "reject": Step(_REFUSABLE, "REJECTED"),
        "return": Step(("REJECTED",), "RETURNED", people=2),
        "quarantine": Step((*_REFUSABLE, "REGISTERED", "REJECTED"), "QUARANTINED"),
        "lift": Step(("QUARANTINED",), AS_BEFORE, people=2),
        # when the engine has moved the gold
        "issue": Step(("REGISTERED",), "RECEIPTED", (ENGINE,), people=2),
        "allocate": Step(("RECEIPTED",), "ALLOCATED"),
        "deallocate": Step(("ALLOCATED",), "RECEIPTED", (CLERK, ENGINE)),
        "withdraw": Step(("ALLOCATED",), "WITHDRAWN", (ENGINE,), people=2),
        "unissue": Step(("RECEIPTED",), "REGISTERED", (ENGINE,), people=2),
        "restore": Step(("WITHDRAWN",), "RECEIPTED", (ENGINE,)),
        "release": Step(("WITHDRAWN",), "RELEASED", people=2, first="load_out.signed_by"),
    },
)

GONE: Final = LOT.final
"""The lot is not here any more, nor to come: it was handed out, returned, cancelled, or melted into another lot. Its
mark may be used again, and its class holds nothing of it."""
AT_WAREHOUSE: Final = tuple(state for state in LOT.within("arrive") if state not in GONE)
"""The lot lies in its warehouse."""
IN_STOCK: Final = tuple(state for state in LOT.within("weigh") if state not in GONE)
"""The lot lies in its warehouse and has been weighed there."""
UNMELTED: Final = LOT.within("weigh", "melt", "sample", "consume", "reject", "quarantine")
"""The lot is weighed, and neither melted nor sampled."""
WEIGHT_OPEN: Final = LOT.within("weigh", "melt", "remelt", "certify", "consume", "reject", "quarantine")
"""The lot is weighed, and neither melted nor certified: its gross weight may be corrected."""
FINE_KNOWN: Final = LOT.within("certify", "consume", "reject", "quarantine")
"""The lot has a certificate, which fixed its fine weight, and went on from there to the register and the market."""
FINE_POSSIBLE: Final = tuple(state for state in LOT.within("certify") if state not in FINE_KNOWN)
"""The lot may or may not have a certificate."""
CERTIFIED_IN_STOCK: Final = tuple(state for state in FINE_KNOWN if state in IN_STOCK)
"""The lot lies in its warehouse and its fine weight is known."""
IN_POOL: Final = LOT.within("issue", "withdraw", "unissue")
"""The lot's fine gold is in the pool of its class: accounts hold it, under a live receipt."""
PROMISED: Final = LOT.within("allocate", "deallocate", "release", "restore")
"""The lot is allocated to a load-out and has not left."""
LOCKABLE: Final = LOT.before("issue", "allocate")
"""The lot is in the register, with or without a receipt, and promised to nobody."""
STOPPABLE: Final = LOT.within("register", "release", "consume", "quarantine")
"""The lot is in the register and in its vault, promised or not; a freeze or a hold stops it at once."""
HANDED_OUT: Final = LOT.after("release")
"""A load-out took the lot away; a quality claim may be about it."""
PROVENANCE_CLOSED: Final = union(LOT.within("register", "consume", "quarantine"), GONE)
"""The lot's provenance has been judged, or does not matter any more."""

PROVENANCE: Final = Machine(
    "provenance",
    {
        "record": Step((), "RECORDED"),
        "propose": Step(("RECORDED",), "PROPOSED"),
        "accept": Step(("PROPOSED",), "ACCEPTED", people=2),
        "decline": Step(("PROPOSED",), "RECORDED"),
    },
)
ACCEPTANCE: Final = Machine(
    "acceptance",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "LIVE", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "replace": Step(("LIVE",), "REPLACED"),
    },
)
