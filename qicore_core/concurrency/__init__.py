"""Many calls side by side, blocking calls in threads, async calls from synchronous programs.

Every task started here has an owner that awaits it, and is cancelled when its owner leaves. A
Failure is an answer; an exception of the caller's function is a bug and passes, after the rest has
been stopped. This room must never learn what is called. Its functions import asyncio when they are
called, as a program that imports the core may want none of it.
"""

from __future__ import annotations

from .program import run
from .tasks import each, gather
from .threads import Portal, blocking, in_thread

__all__ = ["Portal", "blocking", "each", "gather", "in_thread", "run"]
