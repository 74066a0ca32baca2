"""The command `qicore`: a table of verbs, each in a module that is imported when it is asked for.

No parser library: `qicore --version` costs little more than Python itself. A verb gives a Result:
the exit status, or a Failure, which is printed as code, message and hint and exits by category.
"""

from __future__ import annotations

from . import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from qicore_core import Result

__all__ = ["main"]

# words, arguments, what it does, the module of `verbs`, its function
_VERBS: Final = (
    ("plugins list", "[--json]", "what is installed; imports no plugin", "plugins", "list_"),
    ("plugins doctor", "[--json]", "what is wrong, and what mends it", "plugins", "doctor"),
    ("plugins check", "[KIND/]NAME", "run the contract of all plugins on one", "check", "check"),
    (
        "config show",
        "FILE... [--env PREFIX] [--profile NAME] [--json]",
        "what is set, and by whom; secrets masked",
        "config",
        "show",
    ),
    (
        "config explain",
        "KEY FILE... [--env PREFIX] [--profile NAME]",
        "who set a key, and what that shadows",
        "config",
        "explain",
    ),
    ("explain", "[CODE]", "what an error's code means; without one, all", "explain", "explain"),
    (
        "health",
        "FILE... [--env PREFIX] [--profile NAME] [--json]",
        "open what is configured and ask how it is",
        "health",
        "health",
    ),
    (
        "verify",
        "[--url KIND/NAME=URL]... [--strict]",
        "run the laws and the budgets on this machine",
        "verify",
        "verify",
    ),
)
_BROKEN_PIPE: Final = 141  # 128 + SIGPIPE, as shells have it
_INTERRUPTED: Final = 130  # 128 + SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit status.

    Args:
        arguments: what follows `qicore`; by default those of this process.
    """
    import sys

    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = _run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # `qicore explain | head`: the reader has seen enough
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return status


def _run(given: list[str]) -> int:
    import sys

    if given in (["--version"], ["-V"]):
        sys.stdout.write(f"qicore {__version__}\n")
        return 0
    if not given or given[0] in ("--help", "-h", "help"):
        sys.stdout.write(_help())
        return 0
    from .terminal import print_failure  # late: the two above need no core

    for words, arguments, _, module, function in _VERBS:
        length = words.count(" ") + 1
        if " ".join(given[:length]) == words:
            usage = f"usage: qicore {words} {arguments}"
            if "--help" in given or "-h" in given:
                sys.stdout.write(f"{usage}\n")
                return 0
            result = _verb(module, function)(given[length:], usage)
            return result.value if result else print_failure(result.error)
    return _foreign(given)


def _verb(module: str, function: str) -> Callable[[list[str], str], Result[int]]:
    from importlib import import_module

    verb: Callable[[list[str], str], Result[int]]
    verb = getattr(import_module(f"{__package__}.verbs.{module}"), function)
    return verb


def _foreign(given: list[str]) -> int:
    """Look for a verb that a plugin brings; none is a usage error with the nearest of ours."""
    from qicore_core import plugins

    from .terminal import print_failure
    from .usage import misused, nearest

    commands: dict[str, Callable[[list[str]], int]] = {}
    for loaded in plugins.hook_modules()[0]:
        plugins.call_hook(loaded, "qicore_register_commands", commands)
    if given[0] in commands:
        return commands[given[0]](given[1:])
    known = [row[0] for row in _VERBS]
    said = " ".join(given[:2])
    near = nearest(said, [*known, *commands])
    hint = f"did you mean `qicore {near}`?" if near else "see `qicore --help`"
    return print_failure(
        misused(
            f"there is no `qicore {given[0]}`"
            if " " not in said
            else f"there is no `qicore {said}`",
            hint,
        )
    )


def _help() -> str:
    rows = [(f"qicore {words} {arguments}", what) for words, arguments, what, _, _ in _VERBS]
    lines = [f"  {usage}\n      {what}\n" for usage, what in rows]
    return (
        "usage: qicore VERB ...\n\n"
        + "".join(lines)
        + "  qicore --version, qicore VERB --help\n\n"
        + "Plugins may bring verbs of their own. Exit status: 0 well, 1 not well, else\n"
        + "that of the error's category, as `qicore explain CODE` tells; 64 is misuse.\n"
    )
