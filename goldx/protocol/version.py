"""The version of the member protocol. The protocol only grows, so who knows a version can use every later one."""

from typing import Final

PROTOCOL: Final = 1
"""Rises by one with each release of GoldX whose protocol has more than the one before it."""
