"""How keys are named on the server: ours begin with `qicore`, and no two namespaces overlap."""

from __future__ import annotations

from typing import Any, Final

from qicore_cache.settings import key_error
from qicore_core import QiError

__all__ = ["endless_key", "epoch_key", "glob", "lock_key", "name_error", "own_key", "place"]

_MAX_NAME: Final = 1024


def place(ns: str, epoch: str = "") -> str:
    """Give what stands before the keys of a namespace, or of one epoch of it."""
    escaped = _escaped(ns)
    return f"qicore:{escaped}:{epoch}:" if epoch else f"qicore:{escaped}:"


def epoch_key(ns: str) -> str:
    """Name the key that holds a namespace's epoch."""
    return place(ns) + "epoch"


def endless_key(ns: str) -> str:
    """Name the key that says: some entries here have no end."""
    return place(ns) + "endless"


def lock_key(ns: str, key: str) -> str:
    """Name the lock of a cache's key; clearing the namespace leaves it alone."""
    return f"qicore-lease:{_escaped(ns)}:{key}"


def name_error(name: Any) -> QiError | None:
    """Say what is wrong with the name of what is no cache entry, or None."""
    is_right = isinstance(name, str) and name.isprintable() and 0 < len(name) <= _MAX_NAME
    return None if is_right else key_error(name)


def own_key(room: str, name: str) -> str:
    """Name what is no cache entry: a lock, a limit, an outcome.

    The braces have a cluster keep on one node what begins so.
    """
    escaped = name.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return f"qicore-{room}:{{{escaped}}}"


def glob(prefix: str) -> str:
    """Write a beginning so that SCAN takes it as it is."""
    return "".join([f"\\{sign}" if sign in "\\*?[]^-" else sign for sign in prefix])


def _escaped(ns: str) -> str:
    return ns.replace("%", "%25").replace(":", "%3A")
