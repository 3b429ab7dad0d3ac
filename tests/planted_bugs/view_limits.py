"""Bugs in the limits of members as a gateway shows them."""

from tests.planted_bugs.bug import Bug

BUGS = (
    Bug(
        "the view counts purchases without fees",
        "limits.py",
        "buyer.paid += event.amount + event.buy_fee",
        "buyer.paid += event.amount",
    ),
    Bug(
        "the view does not give an annulled trade back",
        "limits.py",
        "            seller.paid += event.amount - event.sell_fee\n",
        "            pass\n",
    ),
    Bug("the view gives back what it never counted", "limits.py", " and trade_id > after else None", " else None"),
    Bug(
        "the view goes on counting from day to day",
        "limits.py",
        "name: Traded() for member in state.counted_after",
        "name: state.traded[name] for member in state.counted_after",
    ),
    Bug(
        "the view does not count an account that is opened later",
        "limits.py",
        "            self.state.traded.setdefault(name, Traded())\n",
        "            pass\n",
    ),
    Bug(
        "the view counts deals that were proposed to a member",
        "limit_forms.py",
        "deal.proposed.account == name",
        "True",
    ),
    Bug("the view does not count quotes in requests", "limit_forms.py", " + quoted[name]", ""),
    Bug(
        "a long listing of limits lets nobody else have a turn",
        "limit_forms.py",
        "left -= 1 + len(names[member])",
        "left = 0 * len(names[member]) + AT_ONCE",
    ),
)
