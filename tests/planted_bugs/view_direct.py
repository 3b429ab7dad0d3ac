"""Bugs in what a gateway shows of deals and of requests for quotes, and to whom."""

from tests.planted_bugs.bug import Bug

BUGS: tuple[Bug, ...] = (
    # Deals
    Bug(
        "the public sees a deal before it is published",
        "view.py",
        "        self._market(event).direct.make(event)\n",
        "        self._market(event).publish_direct(event)\n",
    ),
    Bug(
        "an annulled deal that was never public is announced",
        "direct_trades.py",
        "            return False\n",
        "            return True\n",
    ),
    Bug(
        "the terms of a deal are forgotten with its day",
        "orders.py",
        "        return trade.trade_id > since\n",
        "        return False\n",
    ),
    Bug(
        "an annulled deal still counts",
        "direct_trades.py",
        "            self.volumes[kind] = trades - 1, quantity - event.quantity\n",
        "            self.volumes[kind] = trades, quantity\n",
    ),
    Bug(
        "members see the numbers of settlement's reservations",
        "accounts.py",
        "            out.pop(OF_SETTLEMENT, None)\n",
        "",
    ),
    # Requests for quotes
    Bug(
        "the requester sees quotes before the grace has ended",
        "accounts.py",
        "        if isinstance(event, RfqQuoteDone) or not event.hidden:\n",
        "        if event.counter_account:\n",
    ),
    Bug(
        "a list of requests shows quotes before the grace has ended",
        "request_forms.py",
        "if request.grace_is_over and quote.status == OPEN]",
        "if quote.status == OPEN]",
    ),
    Bug(
        "the quoters of an anonymous request are named",
        "request_forms.py",
        '        for quote in written["quotes"] if event.anonymous else ():\n',
        "        for quote in ():\n",
    ),
    Bug(
        "an anonymous requester is named to its quoters",
        "request_forms.py",
        '        del written["counter_account" if is_quoter else "account"]\n',
        '        written.pop("account" if not is_quoter else "", None)\n',
    ),
    Bug(
        "an anonymous requester is named to those who are asked",
        "request_forms.py",
        "        account=None if event.anonymous else event.account,\n",
        "        account=event.account,\n",
    ),
    Bug(
        "the requester sees the covering price",
        "request_forms.py",
        '    if not is_quoter:\n        written.pop("covering_price", None)\n',
        "",
    ),
    Bug(
        "every member hears of a request to few",
        "requests.py",
        "        for member in dict.fromkeys(request.created.members) or self.channels:\n",
        "        for member in self.channels:\n",
    ),
    Bug(
        "a snapshot forgets requests",
        "snapshot.py",
        "    for request in state.requests:\n        view.requests.add(request)\n",
        "",
    ),
    Bug(
        "a snapshot forgets the numbers of the channels of requests",
        "snapshot.py",
        "        _read_channel(channel, view.requests.channels[member], view)\n",
        "        pass\n",
    ),
)
