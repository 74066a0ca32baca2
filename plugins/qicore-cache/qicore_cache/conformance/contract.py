"""The laws of a cache: each a demand that a driver keeps, as one would build it."""

from __future__ import annotations

from .computations import ComputationLaws
from .entries import EntryLaws
from .sharing import SharingLaws
from .tags import TagLaws

__all__ = ["CacheContract"]


class CacheContract(SharingLaws, TagLaws, ComputationLaws, EntryLaws, abstract=True):
    """The laws of a cache, for the driver that opens `url`.

    Attributes:
        url: what is opened; each example gets a namespace of its own in it.
        settings: the driver's settings.
    """
