"""The numbers with which commands and events begin, read off the schema classes of ``goldx.protocol``.

Commands are told apart by their number, so these are typed as ints; the number of an event is put into its tuple, so
those are typed as objects. The compiled core then keeps each in the form in which it is used.
"""

from __future__ import annotations

from typing import Final

from goldx.protocol import commands, deal_events, events, rfq_events, timetable_events
from goldx.protocol.claim_events import AccountClaimChanged
from goldx.protocol.limit_events import LimitsChanged, LimitsProposed
from goldx.protocol.notice_events import NoticeAcknowledged, NoticePublished
from goldx.protocol.opening_events import DayOpeningDecided
from goldx.protocol.quote_events import ProtectionReset, ProtectionSet, ProtectionTriggered
from goldx.protocol.regime_events import RegimeChanged, RegimeProposed
from goldx.protocol.tags import tag_of

ORDER_PLACE: Final[int] = tag_of(commands.OrderPlace)
ORDER_CANCEL: Final[int] = tag_of(commands.OrderCancel)

ORDER_ACCEPTED: Final[object] = tag_of(events.OrderAccepted)
ORDER_REJECTED: Final[object] = tag_of(events.OrderRejected)
TRADE: Final[object] = tag_of(events.Trade)
ORDER_CANCELLED: Final[object] = tag_of(events.OrderCancelled)
ORDER_REPLACED: Final[object] = tag_of(events.OrderReplaced)
HOLDING_CHANGED: Final[object] = tag_of(events.HoldingChanged)
PHASE_CHANGED: Final[object] = tag_of(events.PhaseChanged)
INSTRUMENT_DEFINED: Final[object] = tag_of(events.InstrumentDefined)
ACCOUNT_OPENED: Final[object] = tag_of(events.AccountOpened)
MEMBER_KILLED: Final[object] = tag_of(events.MemberKilled)
MEMBER_RESTORED: Final[object] = tag_of(events.MemberRestored)
MEMBER_HALTED: Final[object] = tag_of(events.MemberHalted)
COMMAND_REJECTED: Final[object] = tag_of(events.CommandRejected)
HOLDING_ADJUSTED: Final[object] = tag_of(events.HoldingAdjusted)
HOLDING_SETTLED: Final[object] = tag_of(events.HoldingSettled)
REFERENCE_CHANGED: Final[object] = tag_of(events.ReferenceChanged)
DAY_ENDED: Final[object] = tag_of(events.DayEnded)
AUCTION_INDICATED: Final[object] = tag_of(events.AuctionIndicated)
ORDER_TRIGGERED: Final[object] = tag_of(events.OrderTriggered)
SELF_TRADE_PREVENTED: Final[object] = tag_of(events.SelfTradePrevented)
ORDER_REFRESHED: Final[object] = tag_of(events.IcebergRefreshed)
REFERENCE_PROPOSED: Final[object] = tag_of(events.ReferenceProposed)
INSTRUMENT_RETIRED: Final[object] = tag_of(events.InstrumentRetired)
ACCOUNT_RETIRED: Final[object] = tag_of(events.AccountRetired)
TIMETABLE_HELD: Final[object] = tag_of(timetable_events.TimetableHeld)
TIMETABLE_DELAYED: Final[object] = tag_of(timetable_events.TimetableDelayed)
AUCTION_EXTENDED: Final[object] = tag_of(events.AuctionExtended)
INSTRUMENT_PROPOSED: Final[object] = tag_of(events.InstrumentProposed)
DAY_END_PROPOSED: Final[object] = tag_of(events.DayEndProposed)
TRADE_BUST_PROPOSED: Final[object] = tag_of(events.TradeBustProposed)
TRADE_BUSTED: Final[object] = tag_of(events.TradeBusted)
REGIME_PROPOSED: Final[object] = tag_of(RegimeProposed)
REGIME_CHANGED: Final[object] = tag_of(RegimeChanged)
PROTECTION_SET: Final[object] = tag_of(ProtectionSet)
PROTECTION_TRIGGERED: Final[object] = tag_of(ProtectionTriggered)
PROTECTION_RESET: Final[object] = tag_of(ProtectionReset)
DEAL_PROPOSED: Final[object] = tag_of(deal_events.DealProposed)
DEAL_ACCEPTED: Final[object] = tag_of(deal_events.DealAccepted)
DEAL_ENDED: Final[object] = tag_of(deal_events.DealEnded)
TRADE_PUBLISHED: Final[object] = tag_of(deal_events.TradePublished)
NOTICE_PUBLISHED: Final[object] = tag_of(NoticePublished)
NOTICE_ACKNOWLEDGED: Final[object] = tag_of(NoticeAcknowledged)
LIMITS_PROPOSED: Final[object] = tag_of(LimitsProposed)
LIMITS_CHANGED: Final[object] = tag_of(LimitsChanged)
ACCOUNT_CLAIM_CHANGED: Final[object] = tag_of(AccountClaimChanged)
DAY_OPENING_DECIDED: Final[object] = tag_of(DayOpeningDecided)
RFQ_CREATED: Final[object] = tag_of(rfq_events.RfqCreated)
RFQ_QUOTED: Final[object] = tag_of(rfq_events.RfqQuoted)
RFQ_GRACE_ENDED: Final[object] = tag_of(rfq_events.RfqGraceEnded)
RFQ_QUOTE_ENDED: Final[object] = tag_of(rfq_events.RfqQuoteEnded)
RFQ_ACCEPTED: Final[object] = tag_of(rfq_events.RfqAccepted)
RFQ_QUOTE_DONE: Final[object] = tag_of(rfq_events.RfqQuoteDone)
RFQ_ENDED: Final[object] = tag_of(rfq_events.RfqEnded)
