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
_UNHEARD: Final = 141  # 128 + SIGPIPE
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
        message, hint) and exits with its category's exit code; Ctrl-C exits with 130, a cancelled
        `main`, as by SIGTERM under a Runtime, with 143, and one whose output nobody reads any more,
        as in `program | head -1`, with 141, without a traceback. Any other exception is a bug and
        keeps its traceback.
    """
    import asyncio  # late, as the room's docstring says

    try:
        result = asyncio.run(_awaited(main))
        if sys.stdout and not sys.stdout.closed and not isinstance(result, Failure):
            sys.stdout.flush()
    except QiError as error:
        _exit(error)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    except asyncio.CancelledError:
        raise SystemExit(_TERMINATED) from None  # a Runtime cancels the program on SIGTERM
    except BrokenPipeError:
        if _is_unheard():
            raise SystemExit(_UNHEARD) from None
        raise  # it was another pipe
    if isinstance(result, Failure):
        _exit(result.error)
    return result.value if isinstance(result, Success) else result


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _exit(error: QiError) -> NoReturn:
    is_said = len(error.errors) == 1 and error.errors[0].message in error.message
    lines = [f"error: {error}", *([] if is_said else [f"  {held}" for held in error.errors])]
    if error.hint:
        lines.append(f"hint: {redact_text(error.hint)}")
    try:
        sys.stderr.write("\n".join(lines) + "\n")
    except (AttributeError, OSError):
        pass  # it is closed (None, if from the start): the exit code still says it
    _is_unheard()
    raise SystemExit(error.category.exit_code) from None


def _is_unheard() -> bool:
    """Tell whether nobody reads stdout any more; what is left for it then goes nowhere."""
    import os  # late, as few come here; so is the next
    import select

    try:
        stdout, poll = sys.stdout.fileno(), select.poll()
        poll.register(stdout, 0)  # for nothing but an error, or that the other side hung up
        if not poll.poll(0):
            return False
    except (AttributeError, OSError, ValueError):
        return False  # stdout is no file, or closed; or there is no poll
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)  # or Python tries again at its end
    return True
