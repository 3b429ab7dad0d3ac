"""The methods that change the exchange: orders, quotes, and the venue's commands.

Each method checks the session's permission and the form of the request, hands the command to the sequencer, and makes
the answer from the events of the command.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeAlias

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from api.edge.auth import Principal
from api.edge.outcome import Outcome, Refusal
from api.edge.params import check_members
from api.edge.rpc import Request
from api.edge.settlement_register import SettlementRegister
from api.journal.newest_events import RETRY_MS, Then
from api.journal.sequencer import Sequencer
from api.sessions.act_log import ActLog, take_reason
from api.sessions.direct import DIRECT_COMMANDS, direct_result, refused_direct
from api.sessions.long_results import is_cancel_of, long_result
from api.sessions.mass_quotes import MassQuotes
from api.sessions.named_lots import Answered, NamedLots
from api.sessions.next_day import Plans, with_rules
from api.sessions.preview import TERMS, preview
from api.sessions.queries import unknown_account
from api.sessions.refused import differences, explain, explain_by_detail, refuse, unknown_order
from api.sessions.session import Method, Session
from api.sessions.targets import NAMING_COMMANDS, NamingCommand, Targets, find_order
from api.view.accounts import Account
from api.view.orders import trades_among, write_order, write_trades
from api.view.records import Order
from api.view.view import View
from goldx.protocol import events, terms
from goldx.protocol.commands import (
    BY_METHOD,
    MEMBER_COMMANDS,
    OPERATOR_COMMANDS,
    AccountOpen,
    AnyCommand,
    InstrumentDefine,
    MarketEndDay,
    MarketSetReference,
    OrderCancel,
    OrderCancelAll,
    OrderPlace,
    OrderReplace,
    QuoteCancel,
    QuoteSet,
    TradeBust,
)
from goldx.protocol.dangerous_terms import DEFINITION_RULES, REFERENCE_RULES
from goldx.protocol.notice_commands import NOTICE_RULES, NoticeAcknowledge, NoticePublish
from goldx.protocol.quote_commands import LIMIT_COMMANDS, QuoteMass
from goldx.protocol.reasons import describe
from goldx.protocol.terms import END_OF_DAY_RULES, LARGEST_REFERENCE_CHANGE_PERCENT, OUTLIVES
from goldx.protocol.units import BadValue
from goldx.protocol.wire import read_command, write_event

OPERATOR_METHODS: Final = tuple(command.method for command in OPERATOR_COMMANDS)
"""Methods of a key with the permission ``operate``."""
SET_BY_GATEWAY: Final = ("session", "by", "rules", "given", "largest_change_percent", "trade", "lots_found")
"""Fields of commands that no request may give."""
PREVIEW: Final = "instrument.preview"
"""The method that returns what ``instrument.define`` would change."""

MakeResult: TypeAlias = Callable[[AnyCommand, Outcome], dict[str, Any]]
"""Makes the result of a request from its command and the events of it. Raises Refusal."""


class Trading:
    """``methods`` maps the names of methods to their functions, for the sessions.

    ``wait_for_events`` is ``NewestEvents.wait``. ``database`` is settlement's, with the registers; None where there
    is no registry. ``spawn`` runs a coroutine. ``acts`` records the commands of operators; None where there are no
    operators. ``plans`` say which days are trading days and when each ends.
    """

    def __init__(
        self,
        view: View,
        sequencer: Sequencer,
        wait_for_events: Callable[[Then], None],
        database: AsyncEngine | None,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        acts: ActLog | None = None,
        plans: Plans = Plans(),  # noqa: B008 : it cannot be changed
    ) -> None:
        self._view = view
        self._sequencer = sequencer
        self._wait_for_events = wait_for_events
        self._register = None if database is None else SettlementRegister(database, sequencer.clock, view.sequence)
        self.named_lots = NamedLots(view, self._register, wait_for_events, spawn)
        self._spawn = spawn
        self._acts = acts
        self._plans = plans
        self._in_order = asyncio.Lock()
        """Held while an operator's command is recorded and placed, so that records and commands have the same order."""
        self.targets = Targets(view)
        self.methods: dict[str, Method] = {command.method: self._member for command in MEMBER_COMMANDS}
        self.methods |= dict.fromkeys(OPERATOR_METHODS, self._operator)
        self.methods[QuoteMass.method] = MassQuotes(view, self.targets, self.read, self.submit).handle
        self.methods[PREVIEW] = self._preview

    def _member(self, session: Session, request: Request) -> None:
        principal = session.require("trade")
        command: Any = self.read(request.method, request.params, session=session.name)
        account = self._view.accounts.get(command.account)
        if account is None or account.member != principal.member:
            raise unknown_account(command.account)
        if isinstance(command, NAMING_COMMANDS):
            self._submit_named(session, request, account, command, current=False)
        elif self.named_lots.concerns(command):
            submit = partial(self.submit, make_result=self._member_result)
            self._spawn(self.named_lots.submit(session, request, command, submit))
        else:
            self.submit(session, request, command, self._member_result)

    def _submit_named(
        self, session: Session, request: Request, account: Account, command: NamingCommand, *, current: bool
    ) -> None:
        """Submit a command if it names something; before it is refused, wait for the newest events.

        ``current`` says that the view has them. Raises BadValue and Refusal.
        """
        found = self.targets.resolve(account, command)
        if found is not None:
            self.submit(session, request, found, self._member_result)
            return
        if isinstance(command, OrderCancelAll | QuoteCancel) and command.symbol not in (None, *self._view.markets):
            raise refuse("UNKNOWN_SYMBOL", "symbol", command.symbol)
        if not current:
            self._wait_for_events(lambda known: self._submit_again(session, request, account, command, known))
        elif isinstance(command, OrderCancelAll):
            request.succeed({"orders": []})
        else:
            raise unknown_order(command)

    def _submit_again(
        self, session: Session, request: Request, account: Account, command: NamingCommand, known: bool
    ) -> None:
        try:
            if not known:
                text = "the events are not reachable, so it is not known whether there is such an order"
                raise Refusal("UNAVAILABLE", text, retry_after_ms=RETRY_MS)
            self._submit_named(session, request, account, command, current=True)
        except Refusal as refusal:
            request.refuse(refusal)
        except BadValue as error:
            request.reject(error)

    def _operator(self, session: Session, request: Request) -> None:
        principal = session.require("operate")
        params, reason = take_reason(request.method, request.params)
        command = self.read(request.method, params, by=str(principal.staff))
        self._spawn(self._operate(session, request, principal, command, reason))

    async def _operate(
        self, session: Session, request: Request, principal: Principal, command: AnyCommand, reason: str
    ) -> None:
        try:
            async with self._in_order:
                command = await self.check(command)
                await self.record(principal, command, reason)
                answered = self.named_lots.answered(command)
                self.submit(session, request, command, self.operator_result, answered)
        except Refusal as refusal:
            request.refuse(refusal)

    async def record(self, principal: Principal, command: AnyCommand, reason: str) -> None:
        """Record an operator's command, which is then placed. Raises Refusal (UNAVAILABLE)."""
        if self._acts is not None:
            await self._acts.command(principal, command, reason)

    async def check(self, command: AnyCommand) -> AnyCommand:
        """Return an operator's command as it goes to the journal: the annulment of a trade with its terms and lots.

        Raises Refusal for a command that names what the registry, the trading calendar or the market does not have: an
        account of a firm that is not in use, a next trading day that is none, a trade that was not made today.
        """
        if isinstance(command, TradeBust):
            return await self.named_lots.annulment(command)
        if isinstance(command, MarketEndDay):
            return await with_rules(command, self._view.trading_day, self._plans)
        if isinstance(command, AccountOpen) and self._register is not None:
            await self._register.check_member(command.member)
        return command

    def _preview(self, session: Session, request: Request) -> None:
        session.require("operate")
        request.succeed(self.preview(request.params))

    def preview(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return what ``instrument.define`` with these parameters would change, and what prevents it."""
        terms = {name: value for name, value in params.items() if name != "reason"}
        command: Any = self.read(InstrumentDefine.method, terms, by="")
        return preview(self._view, command)

    @staticmethod
    def read(method: str, params: dict[str, Any], **set_by_gateway: str) -> AnyCommand:
        """Return the command of a request. Raises BadValue.

        ``set_by_gateway`` gives ``session`` or ``by``, for the commands that have such a field.
        """
        for name in SET_BY_GATEWAY:
            if name in params:
                raise BadValue(name, params[name], "left out: the gateway sets it")
        kind = BY_METHOD[method]
        rules = {InstrumentDefine: DEFINITION_RULES, MarketSetReference: REFERENCE_RULES, NoticePublish: NOTICE_RULES}
        added: dict[str, Any] = {
            **set_by_gateway,
            "rules": rules.get(kind, END_OF_DAY_RULES),
            "given": [name for name in TERMS if name in params],
            "largest_change_percent": LARGEST_REFERENCE_CHANGE_PERCENT,
        }
        command = read_command(method, params | {name: added[name] for name in added if name in kind.__struct_fields__})
        check_members(command)
        if getattr(command, "persist", False):
            return replace(command, session=f"{OUTLIVES}{set_by_gateway['session']}")
        return command

    def submit(
        self,
        session: Session,
        request: Request,
        command: AnyCommand,
        make_result: MakeResult,
        answered: Answered | None = None,
    ) -> None:
        """Submit a command, and answer its request with the result that is made from its events.

        ``answered`` is called with its outcome first.
        """

        def answer(outcome: Outcome | Refusal) -> None:
            self.targets.answered(command)
            if answered is not None:
                answered(outcome)
            if isinstance(outcome, Refusal) or (long := long_result(command, outcome, self._view)) is None:
                _answer(request, command, outcome, make_result)
            else:
                session.work(partial(long.send, session, request))

        self._sequencer.submit(command, answer, session.share)
        self.targets.took(command)

    def answer(self, request: Request, command: AnyCommand, outcome: Outcome | Refusal) -> None:
        """Answer a member's request with the outcome of its command."""
        _answer(request, command, outcome, self._member_result)

    def operator_result(self, command: AnyCommand, outcome: Outcome) -> dict[str, Any]:
        """Return the result of an operator's request: the events of its command. Raises Refusal."""
        self._check_refused(command, outcome)
        return {"events": [write_event(event) for event in outcome]}

    def _member_result(self, command: AnyCommand, outcome: Outcome) -> dict[str, Any]:
        self._check_refused(command, outcome)
        if isinstance(command, DIRECT_COMMANDS):
            return direct_result(command, outcome, self._view)
        if isinstance(command, OrderPlace | QuoteSet):
            return self._placed(command, outcome)
        if isinstance(command, OrderReplace):
            return self._replaced(outcome)
        if isinstance(command, LIMIT_COMMANDS):
            return {"protections": self._view.protections.write(self._account(command).member)}
        if isinstance(command, NoticeAcknowledge):
            return {"notice": self._view.notices.of_member(command.notice_id, self._account(command).member)}
        account = command.account  # type: ignore[union-attr]
        cancelled = [
            write_order(self._view.orders[event.order_id]) for event in outcome if is_cancel_of(event, account)
        ]
        if isinstance(command, OrderCancel):
            return {"order": cancelled[0]}
        return {"orders": cancelled}

    def _placed(self, command: OrderPlace | QuoteSet, outcome: Outcome) -> dict[str, Any]:
        accepted = [
            self._view.orders[event.order_id]
            for event in outcome
            if isinstance(event, events.OrderAccepted) and event.account == command.account
        ]
        if isinstance(command, OrderPlace):
            return self._write(accepted[0])
        return self._write_quote(accepted)

    def _write_quote(self, sides: list[Order]) -> dict[str, Any]:
        """Return the sides of a quote, the bid first, and all their trades in the protocol's form."""
        names = {terms.BUY: "bid", terms.SELL: "ask"}
        written: dict[str, Any] = {names[order.side]: write_order(order) for order in sides}
        return written | {"trades": [trade for order in sides for trade in write_trades(order, self._view.fills)]}

    def _replaced(self, outcome: Outcome) -> dict[str, Any]:
        """Return the result of ``order.replace``.

        A new total that has been filled already ends the order: then the event is order.cancelled (REPLACED).
        """
        order_id = next(
            event.order_id
            for event in outcome
            if isinstance(event, events.OrderReplaced)
            or (isinstance(event, events.OrderCancelled) and event.reason == "REPLACED")
        )
        order = self._view.orders[order_id]
        return {"order": write_order(order), "trades": trades_among(outcome, order)}

    def _check_refused(self, command: AnyCommand, outcome: Outcome) -> None:
        """Raise Refusal if the exchange has refused the command."""
        for event in outcome:
            if isinstance(event, events.OrderRejected):
                raise self._refusal(command, event.reason, event.detail or describe(event.reason).text, {})
            if isinstance(event, events.CommandRejected) and event.method == command.method:
                data = {"subject": event.subject} if event.subject else {}
                raise self._refusal(command, event.reason, event.detail or describe(event.reason).text, data)

    def _refusal(self, command: AnyCommand, reason: str, text: str, data: dict[str, Any]) -> Refusal:
        """Return the refusal of a command, with the field concerned, or with the orders that have its id already."""
        if (of_direct := refused_direct(command, reason, text, self._view)) is not None:
            return of_direct
        if reason == "DUPLICATE_ID":
            first = self._first(command)
            if isinstance(command, OrderPlace | QuoteSet) and first:
                data |= self._write(first[0])
                if isinstance(command, QuoteSet):
                    data |= self._write_quote(first)
                if differs := differences(command, first):
                    data["differs"] = differs
                    text = f"the id was used before, with another {', '.join(differs)}"
            elif first:
                data |= self._write(first[0])
            return Refusal(reason, text, **data)
        if reason == "BAD_VALUE" and isinstance(command, LIMIT_COMMANDS):
            data |= explain_by_detail(text, command)
        order = None
        if isinstance(command, OrderReplace):
            order = find_order(self._view, self._account(command), command.order_id, command.client_order_id)
        symbol = getattr(command, "symbol", None) if order is None else order.symbol
        found = explain(reason, command, self._view.markets.get(symbol or ""), order)
        if found is not None:
            text, more = found
            data |= more
        return Refusal(reason, text, **data)

    def _account(self, command: Any) -> Account:
        return self._view.accounts[command.account]

    def _first(self, command: AnyCommand) -> list[Order]:
        """Return the orders known to this gateway that already have the id of a command."""
        if isinstance(command, OrderPlace):
            ids = [command.client_order_id]
        elif isinstance(command, QuoteSet):
            ids = [f"{command.quote_id}/bid", f"{command.quote_id}/ask"]
        else:
            ids = [getattr(command, "new_client_order_id", None) or ""]
        orders = self._account(command).orders
        return [order for name in ids if (order := orders.get(name)) is not None]

    def _write(self, order: Order | None) -> dict[str, Any]:
        """Return an order and its trades in the protocol's form; nothing if there is no order."""
        return {} if order is None else {"order": write_order(order), "trades": write_trades(order, self._view.fills)}


def _answer(request: Request, command: AnyCommand, outcome: Outcome | Refusal, make_result: MakeResult) -> None:
    if isinstance(outcome, Refusal):
        request.refuse(outcome)
        return
    try:
        result = make_result(command, outcome)
    except Refusal as refusal:
        request.refuse(refusal)
    else:
        request.succeed(result)
