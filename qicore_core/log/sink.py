"""Where lines go: a file descriptor, a stream, or a function.

A sink's `write` may raise; whoever calls it counts that and goes on. What wants records, not bytes,
says so by `takes_records`. This room must never learn what a line says.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic, sleep

from ..codes import INVALID_LOG_CONFIG
from ..error import QiError
from ..result import failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Any, Final, Protocol, TypeAlias

    from ..result import Result
    from .record import LogRecord

    class TextStream(Protocol):
        def write(self, text: str, /) -> object: ...

    SinkChoice: TypeAlias = (
        str
        | PathLike[str]
        | int
        | TextStream
        | list[LogRecord]
        | Callable[[LogRecord], object]
        | None
    )

    class Sink(Protocol):
        """What an output writes to."""

        @property
        def takes_records(self) -> bool: ...
        def write(self, payload: Any, /) -> object: ...
        def is_terminal(self) -> bool: ...


__all__ = ["Descriptor", "Receiver", "Stream", "open_sink"]

_PATIENCE: Final = 1.0  # seconds that a full pipe is waited for, once; then lines are lost
_PAUSE: Final = 0.005
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

    __slots__ = ("_fd", "_keep", "_left", "_lock", "_owned")

    takes_records = False

    def __init__(self, fd: int, *, keep: object = None, owned: bool = False) -> None:
        self._fd = fd
        self._keep = keep
        self._owned = owned
        self._lock = allocate_lock()
        # The rest of a line that was cut short; b"" after a failure.
        self._left: bytes | None = None

    def write(self, line: bytes, /) -> None:
        """Write a line."""
        if self._left is not None:
            return self._finish(line)
        try:
            done = _write(self._fd, line)
        except BlockingIOError:
            done = 0
        if done == len(line):
            return None
        if done == 0:
            return self._finish(line)
        self._left = line[done:]  # from here on the others wait until it is written
        return self._finish(b"", begun=True)

    def is_terminal(self) -> bool:
        """Tell whether a person reads it."""
        return os.isatty(self._fd)

    def _finish(self, line: bytes, begun: bool = False) -> None:
        # A child of fork may find the lock held for ever: it waits no longer than for a full pipe.
        if not self._lock.acquire(timeout=_PATIENCE):
            raise BlockingIOError("another thread waits for the same full pipe")
        try:
            patient = begun or self._left is None
            ends = monotonic() + _PATIENCE if patient else 0.0
            self._push(self._left or b"", ends)
            self._push(line, ends)
            self._left = None
        finally:
            self._lock.release()

    def _push(self, line: bytes, ends: float) -> None:
        rest = line
        try:
            while rest:
                try:
                    rest = rest[_write(self._fd, rest) :]
                except BlockingIOError:
                    if monotonic() >= ends:
                        raise
                    sleep(_PAUSE)
        except BaseException:  # a full disk, Ctrl-C: the next one goes on where this one ended
            begun = line is self._left or len(rest) < len(line)
            self._left = rest if begun else b""
            raise

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._owned:
            close(self._fd)


class Stream:
    """Write each line to an object with `write`, such as StringIO."""

    __slots__ = ("_stream",)

    takes_records = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, line: bytes, /) -> None:
        """Write a line, and flush where the stream can."""
        self._stream.write(line.decode("utf-8"))
        flush = getattr(self._stream, "flush", None)
        if flush is not None:
            flush()

    def is_terminal(self) -> bool:
        """Tell whether a person reads it."""
        isatty = getattr(self._stream, "isatty", None)
        return isatty is not None and bool(isatty())


class Receiver:
    """Hand each record to a function."""

    __slots__ = ("_function",)

    takes_records = True

    def __init__(self, function: Callable[[LogRecord], object]) -> None:
        self._function = function

    def write(self, record: LogRecord, /) -> None:
        """Hand a record over."""
        self._function(record)

    def is_terminal(self) -> bool:
        """Tell that it is none."""
        return False


def open_sink(choice: SinkChoice) -> Result[Sink]:
    """Make the sink that a caller's choice stands for.

    Args:
        choice: None or "stderr", "stdout"; "stdlib" for the handlers of `logging`; a path, opened
            to append; a descriptor; a stream; a list; a function of a LogRecord.

    Errors:
        INVALID_LOG_CONFIG: it is none of these, or it cannot be opened.
    """
    try:
        found = _find(choice)
    except (OSError, ValueError) as why:
        return failure(_invalid(f"the log sink {choice!r} cannot be opened", why))
    if found is None:
        return failure(_invalid(f"{choice!r} is no log sink"))
    return success(found)


def _find(choice: Any) -> Sink | None:
    choice = "stderr" if choice is None else choice
    if isinstance(choice, str) and choice in _STANDARD:
        return Descriptor(_STANDARD[choice])
    if choice == "stdlib":
        from .stdlib import forward  # late: it loads logging

        return Receiver(forward)
    if isinstance(choice, int):
        os.fstat(choice)
        return Descriptor(choice)
    if isinstance(choice, str) or hasattr(choice, "__fspath__"):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        return Descriptor(os.open(choice, flags, 0o640), owned=True)
    if isinstance(choice, list):
        return Receiver(choice.append)
    if callable(getattr(choice, "write", None)):
        return _stream(choice)
    return Receiver(choice) if callable(choice) else None


def _stream(stream: Any) -> Sink:
    try:
        return Descriptor(stream.fileno(), keep=stream)
    except (AttributeError, OSError):
        return Stream(stream)


def _invalid(message: str, why: Exception | None = None) -> QiError:
    return QiError.configuration(
        INVALID_LOG_CONFIG,
        message,
        hint='use "stderr", "stdout", "stdlib", a path to write to, a descriptor, a stream, a list '
        "or a function",
        source="log",
        cause=why,
    )


_STANDARD: Final = {"stdout": 1, "stderr": 2}
