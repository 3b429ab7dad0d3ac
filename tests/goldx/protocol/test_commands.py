"""The unions of commands and events are complete, and their tags, which stand in every journal, never change."""

from goldx.protocol import bases
from goldx.protocol.commands import BY_METHOD, COMMANDS, MEMBER_COMMANDS, OPERATOR_COMMANDS
from goldx.protocol.events import EVENTS
from goldx.protocol.tags import tag_of

TAGS_OF_COMMANDS = {
    "order.place": 1,
    "order.cancel": 2,
    "order.cancel_all": 3,
    "order.replace": 4,
    "quote.set": 5,
    "quote.cancel": 6,
    "session.close": 7,
    "instrument.define": 8,
    "account.open": 9,
    "holding.adjust": 10,
    "holding.settle": 11,
    "market.set_phase": 12,
    "market.set_reference": 13,
    "member.kill": 14,
    "member.restore": 15,
    "member.halt": 16,
    "clock.tick": 17,
    "market.end_day": 18,
    "instrument.retire": 19,
    "account.retire": 20,
    "market.cancel_orders": 21,
    "timetable.step": 22,
    "timetable.hold": 23,
    "timetable.delay": 24,
    "trade.bust": 25,
    "venue.set_regime": 26,
    "quote.set_protection": 40,
    "quote.reset_protection": 41,
    "quote.mass": 42,
    "deal.propose": 27,
    "deal.accept": 28,
    "deal.decline": 29,
    "deal.cancel": 30,
    "notice.publish": 60,
    "notice.acknowledge": 61,
    "limits.set": 62,
    "market.permit_opening": 63,
    "account.claim": 64,
    "rfq.create": 31,
    "rfq.quote": 32,
    "rfq.withdraw": 33,
    "rfq.accept": 34,
    "rfq.cancel": 35,
}
TAGS_OF_EVENTS = {
    "order.accepted": 1,
    "order.rejected": 2,
    "trade": 3,
    "order.cancelled": 4,
    "order.replaced": 5,
    "holding.changed": 6,
    "phase.changed": 7,
    "instrument.defined": 8,
    "account.opened": 9,
    "member.killed": 10,
    "member.restored": 11,
    "member.halted": 12,
    "command.rejected": 13,
    "holding.adjusted": 14,
    "holding.settled": 15,
    "reference.changed": 16,
    "day.ended": 17,
    "auction.indicated": 18,
    "order.triggered": 19,
    "self_trade.prevented": 20,
    "order.refreshed": 21,
    "reference.proposed": 22,
    "instrument.retired": 23,
    "account.retired": 24,
    "timetable.held": 25,
    "timetable.delayed": 26,
    "auction.extended": 27,
    "instrument.proposed": 28,
    "trade.bust_proposed": 29,
    "day.end_proposed": 31,
    "trade.busted": 30,
    "regime.proposed": 32,
    "regime.changed": 33,
    "protection.set": 50,
    "protection.triggered": 51,
    "protection.reset": 52,
    "deal.proposed": 34,
    "deal.accepted": 35,
    "deal.ended": 36,
    "trade.published": 37,
    "notice.published": 60,
    "notice.acknowledged": 61,
    "limits.proposed": 62,
    "limits.changed": 63,
    "day.opening_decided": 64,
    "account.claim_changed": 65,
    "rfq.created": 38,
    "rfq.quoted": 39,
    "rfq.grace_ended": 40,
    "rfq.quote_ended": 41,
    "rfq.accepted": 42,
    "rfq.quote_done": 43,
    "rfq.ended": 44,
}


def test_tags_in_old_journals_keep_their_meaning() -> None:
    assert {command.method: tag_of(command) for command in COMMANDS} == TAGS_OF_COMMANDS
    assert {event.event: tag_of(event) for event in EVENTS} == TAGS_OF_EVENTS


def test_every_command_is_in_the_union_and_has_one_sender() -> None:
    members, operators = bases.MemberCommand.__subclasses__(), bases.OperatorCommand.__subclasses__()
    venue = {*bases.VenueCommand.__subclasses__(), *operators} - {bases.OperatorCommand}
    assert set(members) == set(MEMBER_COMMANDS)
    assert set(operators) == set(OPERATOR_COMMANDS)
    assert set(COMMANDS) == {*members, *venue} == set(BY_METHOD.values())
    assert set(bases.Command.__subclasses__()) == {bases.MemberCommand, bases.VenueCommand}


def test_every_event_is_in_the_union() -> None:
    # Settlement has shorter forms of the events that it skips.
    ours = {kind for kind in bases.Event.__subclasses__() if kind.__module__.startswith("goldx.protocol.")}
    assert ours == set(EVENTS)


def test_an_operator_moves_neither_metal_nor_money_and_is_named_in_every_command() -> None:
    methods = {command.method for command in OPERATOR_COMMANDS}
    assert not methods & {"holding.adjust", "holding.settle", "session.close", "clock.tick"}
    assert all("by" in command.__struct_fields__ for command in OPERATOR_COMMANDS)
