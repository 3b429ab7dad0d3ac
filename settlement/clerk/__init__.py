"""``goldx clerk``: what a settlement clerk types, from money and bars coming in to metal going out.

The commands act on the database directly, as the member of staff that ``--as`` names. A command that moves money or
metal only proposes it; another member of staff approves. There is a module for each folder of settlement, and one for
each large part of a folder; it adds its commands to the group when it is imported, which is when one of them is called
(``settlement.clerk.group`` knows which are where).
"""

from settlement.clerk.group import clerk

__all__ = ["clerk"]
