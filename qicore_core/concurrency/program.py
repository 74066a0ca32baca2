"""The last line of a program: run it, say what failed, exit as its category says."""

from __future__ import annotations

import sys

from ..error import QiError
from ..result import Failure, Success
from ..secret import redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any, Final, NoReturn, TypeVar, overload

    from ..result import Result

    T = TypeVar("T")

__all__ = ["run"]

_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
_TERMINATED: Final = 143  # 128 + SIGTERM

if TYPE_CHECKING:

    @overload  # a Result is a T too: the first match wins, as intended
    def run(main: Awaitable[Result[T]], /) -> T: ...
    @overload
    def run(main: Awaitable[T], /) -> T: ...


def run(main: Awaitable[Any], /) -> Any:
    """Run a program to its end: the value of `main`, or an exit that says what failed.

    It is the last line: `if __name__ == "__main__": run(main())`.

    Args:
        main: gives a Result or a plain value; a QiError that it raises is a Failure that nobody
            took, and is treated as one.

    Returns:
        The value, and a program that ends there exits with 0. A Failure is said on stderr (code,
        message, hint) and exits with its category's exit code; Ctrl-C exits with 130 and a
        cancelled `main`, as by SIGTERM under a Runtime, with 143, without a traceback. Any other
        exception is a bug and keeps its traceback.
    """
    import asyncio  # late, as the room's docstring says

    try:
        result = asyncio.run(_awaited(main))
    except QiError as error:
        _exit(error)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except asyncio.CancelledError:
        raise SystemExit(_TERMINATED) from None  # a Runtime cancels the program on SIGTERM
    if isinstance(result, Failure):
        _exit(result.error)
    return result.value if isinstance(result, Success) else result


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _exit(error: QiError) -> NoReturn:
    lines = [f"error: {error}", *[f"  {held}" for held in error.errors]]
    if error.hint:
        lines.append(f"hint: {redact_text(error.hint)}")
    try:
        sys.stderr.write("\n".join(lines) + "\n")
    except (AttributeError, OSError):
        pass  # it is closed (None, if from the start): the exit code still says it
    raise SystemExit(error.category.exit_code) from None
