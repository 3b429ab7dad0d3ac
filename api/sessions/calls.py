"""The requests that make up nearly all traffic, as typed records that msgspec decodes in one step.

A message that is not exactly one of these does not decode. Parameters of ``order.place`` that are not here are left to
the general path (``GENERAL_ONLY`` in ``tests/api/sessions/in_process.py``).
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from goldx.protocol.commands import OrderCancel, OrderPlace

_Id: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class Place(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The parameters of a plain ``order.place``."""

    account: str
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    type: Literal["limit", "market"]
    quantity: str
    price: str | None = None
    time_in_force: Literal["GTC", "DAY", "IOC", "FOK"] = "GTC"
    post_only: bool = False


class Cancel(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The parameters of ``order.cancel``."""

    account: str
    order_id: _Number | None = None
    client_order_id: str | None = None


class PlaceCall(msgspec.Struct, gc=False, tag_field="method", tag=OrderPlace.method):
    """A plain ``order.place`` whose request id is a whole number."""

    jsonrpc: Literal["2.0"]
    id: _Id
    params: Place
    trace: str | None = None


class CancelCall(msgspec.Struct, gc=False, tag_field="method", tag=OrderCancel.method):
    """An ``order.cancel`` whose request id is a whole number."""

    jsonrpc: Literal["2.0"]
    id: _Id
    params: Cancel
    trace: str | None = None


decode = msgspec.json.Decoder(PlaceCall | CancelCall).decode
