"""Where records go: as a line to a file descriptor, or whole to a function of somebody else.

Both may raise; whoever calls them counts that and goes on. This room must never learn what a line
says.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic, sleep

from ..result import success
from .level import invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Any, Final, Protocol, TypeAlias

    from ..result import Result
    from .record import LogRecord

    class Writer(Protocol):
        def write(self, text: str, /) -> object: ...

    Receiver: TypeAlias = Callable[[LogRecord], object]
    SinkChoice: TypeAlias = str | PathLike[str] | int | Writer | list[LogRecord] | Receiver | None

__all__ = ["Descriptor", "open_sink"]

_PATIENCE: Final = 1.0  # seconds that a full pipe is waited for, once; then lines are lost
_PAUSE: Final = 0.005
_STANDARD: Final = {"stdout": 1, "stderr": 2}
_write = os.write


class Descriptor:
    """Write each line by one `os.write`, so that lines of threads and processes do not mix.

    A pipe that takes only a part gets the rest of that line before the next one. One that takes
    nothing is waited for a second; after that each line is tried once, until it takes again.

    Args:
        fd: where to write.
        keep: what must live as long as the descriptor is used, as the stream it belongs to.
        owned: whether to close it when nothing refers to this any more.
    """

    __slots__ = ("_fd", "_keep", "_late", "_lock", "_owned")

    def __init__(self, fd: int, *, keep: object = None, owned: bool = False) -> None:
        self._fd = fd
        self._keep = keep
        self._owned = owned
        self._lock = allocate_lock()
        # While it does not take what it is given: the rest of a line that was begun.
        self._late: bytes | None = None

    def write(self, line: bytes, /) -> None:
        """Write a line."""
        if self._late is not None:
            return self._finish(line, 0.0)
        try:
            done = _write(self._fd, line)
        except BlockingIOError:
            done = 0
        if done == len(line):
            return None
        if done:
            self._late, line = line[done:], b""  # from here on the others come after it
        return self._finish(line, _PATIENCE)

    def isatty(self) -> bool:
        """Tell whether a person reads it."""
        return os.isatty(self._fd)

    def _finish(self, line: bytes, patience: float) -> None:
        # A child of fork may find the lock held for ever: it waits no longer than for a full pipe.
        if not self._lock.acquire(timeout=_PATIENCE):
            raise BlockingIOError("another thread waits for the same full pipe")
        rest = (self._late or b"") + line
        ends = monotonic() + patience
        try:
            while rest:
                try:
                    rest = rest[_write(self._fd, rest) :]
                except BlockingIOError:
                    if monotonic() >= ends:
                        raise
                    sleep(_PAUSE)
            self._late = None
        except BaseException:  # a full disk, Ctrl-C: the next one goes on where this one ended
            begun = len(rest) < len(line)  # else the line is lost, as a whole
            self._late = rest if begun else rest[: len(rest) - len(line)]
            raise
        finally:
            self._lock.release()

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._owned:
            close(self._fd)


def open_sink(choice: SinkChoice) -> Result[Descriptor | Receiver]:
    """Make the sink that a caller's choice stands for.

    Args:
        choice: None or "stderr", "stdout"; "stdlib" for the handlers of `logging`; a path, opened
            to append; a descriptor; a stream; a list; a function of a LogRecord.

    Errors:
        INVALID_LOG_CONFIG: it is none of these, or it cannot be opened.
    """
    hint = (
        'use "stderr", "stdout", "stdlib", a path to write to, a descriptor, a stream, a list '
        "or a function"
    )
    try:
        found = _find("stderr" if choice is None else choice)
    except (OSError, ValueError) as why:
        return invalid(f"the log sink {choice!r} cannot be opened", hint, why)
    return invalid(f"{choice!r} is no log sink", hint) if found is None else success(found)


def _find(choice: Any) -> Descriptor | Receiver | None:
    if isinstance(choice, str) and choice in _STANDARD:
        return Descriptor(_STANDARD[choice])
    if choice == "stdlib":
        from .stdlib import forward  # late: it loads logging

        return forward
    if isinstance(choice, int):
        os.fstat(choice)
        return Descriptor(choice)
    if isinstance(choice, str) or hasattr(choice, "__fspath__"):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        return Descriptor(os.open(choice, flags, 0o640), owned=True)
    if isinstance(choice, list):
        return choice.append
    if callable(getattr(choice, "write", None)):
        return _to_stream(choice)
    return choice if callable(choice) else None


def _to_stream(stream: Any) -> Descriptor | Receiver:
    try:
        return Descriptor(stream.fileno(), keep=stream)
    except (AttributeError, OSError):
        pass  # as StringIO has none

    def write(record: LogRecord) -> None:
        stream.write(f"{record.line}\n")
        if hasattr(stream, "flush"):
            stream.flush()

    return write
