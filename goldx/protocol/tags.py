"""The tag of a command or event: the number that comes first in its array and says which one it is."""

import msgspec


def tag_of(record: type[msgspec.Struct]) -> int:
    """Return the tag of a class of ``goldx.protocol.commands`` or ``goldx.protocol.events``.

    Raises TypeError for a class without a numeric tag.
    """
    tag = record.__struct_config__.tag
    if not isinstance(tag, int):
        raise TypeError(f"{record.__name__} has no numeric tag")
    return tag
