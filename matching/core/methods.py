"""The names of methods in refusals of commands, read off the schema classes of ``goldx.protocol``."""

from __future__ import annotations

from typing import Final

from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import (
    AccountOpen,
    AccountRetire,
    HoldingAdjust,
    HoldingSettle,
    InstrumentDefine,
    InstrumentRetire,
    MarketCancelOrders,
    MarketEndDay,
    MarketSetPhase,
    MarketSetReference,
    MemberHalt,
    MemberKill,
    MemberRestore,
    OrderCancel,
    OrderCancelAll,
    OrderReplace,
    QuoteCancel,
    QuoteSet,
    SessionClose,
    TimetableDelay,
    TimetableHold,
    TimetableStep,
    TradeBust,
)
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealDecline, DealPropose
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.notice_commands import NoticeAcknowledge, NoticePublish
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.quote_commands import QuoteMass, QuoteResetProtection, QuoteSetProtection
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.rfq_commands import RfqAccept, RfqCancel, RfqCreate, RfqQuote, RfqWithdraw

ACCOUNT_CLAIM: Final[str] = AccountClaim.method
ACCOUNT_OPEN: Final[str] = AccountOpen.method
ACCOUNT_RETIRE: Final[str] = AccountRetire.method
DEAL_ACCEPT: Final[str] = DealAccept.method
DEAL_CANCEL: Final[str] = DealCancel.method
DEAL_DECLINE: Final[str] = DealDecline.method
DEAL_PROPOSE: Final[str] = DealPropose.method
HOLDING_ADJUST: Final[str] = HoldingAdjust.method
HOLDING_SETTLE: Final[str] = HoldingSettle.method
INSTRUMENT_DEFINE: Final[str] = InstrumentDefine.method
INSTRUMENT_RETIRE: Final[str] = InstrumentRetire.method
LIMITS_SET: Final[str] = LimitsSet.method
MARKET_CANCEL_ORDERS: Final[str] = MarketCancelOrders.method
MARKET_END_DAY: Final[str] = MarketEndDay.method
MARKET_PERMIT_OPENING: Final[str] = MarketPermitOpening.method
MARKET_SET_PHASE: Final[str] = MarketSetPhase.method
MARKET_SET_REFERENCE: Final[str] = MarketSetReference.method
MEMBER_HALT: Final[str] = MemberHalt.method
MEMBER_KILL: Final[str] = MemberKill.method
MEMBER_RESTORE: Final[str] = MemberRestore.method
NOTICE_ACKNOWLEDGE: Final[str] = NoticeAcknowledge.method
NOTICE_PUBLISH: Final[str] = NoticePublish.method
ORDER_CANCEL: Final[str] = OrderCancel.method
ORDER_CANCEL_ALL: Final[str] = OrderCancelAll.method
ORDER_REPLACE: Final[str] = OrderReplace.method
QUOTE_CANCEL: Final[str] = QuoteCancel.method
QUOTE_MASS: Final[str] = QuoteMass.method
QUOTE_RESET_PROTECTION: Final[str] = QuoteResetProtection.method
QUOTE_SET: Final[str] = QuoteSet.method
QUOTE_SET_PROTECTION: Final[str] = QuoteSetProtection.method
RFQ_ACCEPT: Final[str] = RfqAccept.method
RFQ_CANCEL: Final[str] = RfqCancel.method
RFQ_CREATE: Final[str] = RfqCreate.method
RFQ_QUOTE: Final[str] = RfqQuote.method
RFQ_WITHDRAW: Final[str] = RfqWithdraw.method
SESSION_CLOSE: Final[str] = SessionClose.method
TIMETABLE_DELAY: Final[str] = TimetableDelay.method
TIMETABLE_HOLD: Final[str] = TimetableHold.method
TIMETABLE_STEP: Final[str] = TimetableStep.method
TRADE_BUST: Final[str] = TradeBust.method
VENUE_SET_REGIME: Final[str] = VenueSetRegime.method
