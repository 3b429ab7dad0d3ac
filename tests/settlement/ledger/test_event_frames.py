"""Settlement decodes of each event what it writes down, and of the others the sequence and the time."""

from typing import Any

import msgspec
import pytest

from goldx.protocol.events import EVENTS, AnyEvent
from goldx.streams.frames import EventFrame, decode_events, encode
from settlement.ledger import event_frames
from settlement.ledger.posting import WRITTEN


def made(kind: type[AnyEvent]) -> AnyEvent:
    """Return an event of a kind with some value in each field."""
    values: list[Any] = [_value(field.type) for field in msgspec.inspect.type_info(kind).fields]  # type: ignore[attr-defined]
    event = kind(*values)
    assert msgspec.msgpack.decode(encode(event), type=kind) == event
    return event


def _value(wanted: Any) -> Any:
    match wanted:
        case msgspec.inspect.UnionType():
            return _value(wanted.types[0])
        case msgspec.inspect.IntType():
            return 7
        case msgspec.inspect.StrType():
            return "text"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.StructType():
            return wanted.cls(*(_value(field.type) for field in wanted.fields))
        case msgspec.inspect.VarTupleType():
            return (_value(wanted.item_type),)
        case msgspec.inspect.TupleType():
            return tuple(map(_value, wanted.item_types))
    raise AssertionError(f"no value is known for {wanted}")


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_decoded_whole_or_with_its_sequence_and_time(kind: type[AnyEvent]) -> None:
    event = made(kind)
    frame = encode(EventFrame((3, 1), ((), (event, event)), 2, b"before"))
    assert decode_events(frame).outcomes[1][0] == event
    found = event_frames.decode(frame)
    assert (found.position, found.epoch, found.previous) == ((3, 1), 2, b"before")
    assert found.outcomes[0] == ()
    for one in found.outcomes[1]:
        if kind in WRITTEN:
            assert one == event
        else:
            assert type(one) not in EVENTS
            assert msgspec.structs.asdict(one) == {"sequence": event.sequence, "at": event.at}


def test_a_frame_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        event_frames.decode(msgspec.msgpack.encode(((3, 1), (((99, 1, 2),),))))
