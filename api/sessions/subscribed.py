"""Subscriptions of a session, and the place where one is to begin."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.edge.outcome import Refusal
from api.view.channels import Channel
from goldx.protocol.units import BadValue


class Subscribed:
    """One channel of a session, which has been sent, or is being sent, all messages after ``start``.

    Two subscriptions to one channel are different objects: work that was begun for one is not taken for the other's.
    """

    def __init__(self, channel: Channel, start: int) -> None:
        self.channel = channel
        self.start = start


class Start(NamedTuple):
    """Where a subscription is to begin: after ``sequence``, None for the present; ``epoch`` is that of the sequence."""

    channel: Channel
    sequence: int | None
    epoch: str | None

    @property
    def ahead(self) -> bool:
        """Whether it is after a message that this gateway does not have yet, or that there never was."""
        return self.sequence is not None and self.sequence > self.channel.sequence

    def check(self) -> None:
        """Raise Refusal (CANNOT_RESUME) if the channel has not this sequence, or not in this epoch."""
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
    """Return where a channel is to begin. Raises BadValue.

    ``from_sequence`` and ``epoch`` are one value for all channels of the request, or an object with a value for some
    of them.
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
