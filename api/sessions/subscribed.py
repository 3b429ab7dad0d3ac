"""Subscriptions of a session, and the sequence after which each begins."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.edge.outcome import Refusal
from api.view.channels import Channel
from goldx.protocol.units import BadValue


class Subscribed:
    """One channel of a session, to which all messages after ``start`` have been sent or are being sent.

    A new subscription to the same channel is another object, so that work begun for the old one is not mixed up with
    it.
    """

    def __init__(self, channel: Channel, start: int) -> None:
        self.channel = channel
        self.start = start


class Start(NamedTuple):
    """The beginning of a subscription: after ``sequence``, of ``epoch``; None for the present."""

    channel: Channel
    sequence: int | None
    epoch: str | None

    @property
    def ahead(self) -> bool:
        """Whether this gateway does not have the message ``sequence`` yet, or there never was one."""
        return self.sequence is not None and self.sequence > self.channel.sequence

    def check(self) -> None:
        """Raise Refusal (CANNOT_RESUME) if the channel does not have this sequence in this epoch."""
        channel, sequence = self.channel, self.sequence
        if sequence is None:
            return
        present = {"channel": channel.name, "sequence": channel.sequence, "epoch": channel.epoch}
        if self.ahead:
            text = f"{channel.name} ends with sequence {channel.sequence}, and {sequence} comes after that"
            raise Refusal("CANNOT_RESUME", text, **present)
        if self.epoch is not None and self.epoch != (epoch := channel.epoch_of(sequence)):
            text = f"sequence {sequence} of {channel.name} is of epoch {epoch}, and not of {self.epoch[:64]}"
            raise Refusal("CANNOT_RESUME", text, **present)


def read_start(params: Mapping[str, Any], channel: Channel) -> Start:
    """Return the beginning of a channel's subscription. Raises BadValue.

    ``from_sequence`` and ``epoch`` are one value for all channels of the request, or an object with values by channel.
    """
    sequence = _value(params, "from_sequence", channel.name)
    if sequence is not None and (not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 0):
        raise BadValue("from_sequence", sequence, "the last sequence received, or an object of channel and sequence")
    epoch = _value(params, "epoch", channel.name)
    if epoch is not None and not isinstance(epoch, str):
        raise BadValue("epoch", epoch, "the epoch beside that sequence, or an object of channel and epoch")
    return Start(channel, sequence, epoch)


def _value(params: Mapping[str, Any], name: str, channel: str) -> Any:
    value = params.get(name)
    return value.get(channel) if isinstance(value, dict) else value
