"""The command `qicore`: a table of verbs, each in a module that is imported when it is asked for.

No parser library: `qicore --version` costs little more than Python itself. A verb gives a Result:
the exit status, or a Failure, which is printed as code, message and hint and exits by category.
"""

from __future__ import annotations

from . import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TextIO

    from qicore_core import Result

__all__ = ["main"]

# words, arguments, what it does, the module of `verbs`, its function
_FILES: Final = "FILE... [--env PREFIX] [--profile NAME]"
_VERBS: Final = (
    ("plugins list", "[--json]", "what is installed; imports no plugin", "plugins", "list_"),
    ("plugins doctor", "[--json]", "what is wrong, and what mends it", "plugins", "doctor"),
    (
        "plugins check",
        "[KIND/]NAME [--url KIND/NAME=URL]... [--json]",
        "run the contracts on one distribution: that of all plugins, and of its drivers",
        "check",
        "check",
    ),
    (
        "config show",
        f"{_FILES} [--json]",
        "what is set, and by whom; secrets masked",
        "config",
        "show",
    ),
    (
        "config explain",
        f"KEY {_FILES}",
        "who set a key, and what that shadows",
        "config",
        "explain",
    ),
    ("explain", "[CODE]", "what an error's code means; without one, all", "explain", "explain"),
    (
        "health",
        f"{_FILES} [--json]",
        "open what is configured and ask how it is",
        "health",
        "health",
    ),
    (
        "verify",
        "[--url KIND/NAME=URL]... [--strict] [--json]",
        "run the laws and the budgets on this machine",
        "verify",
        "verify",
    ),
)
_OPTIONS: Final = {
    "--env PREFIX": "read the variables that begin so, as APP_",
    "--profile NAME": "over each file read its profile's: app.NAME.toml over app.toml",
    "--url KIND/NAME=URL": "where a driver's peer is: cache/redis=redis://localhost/9",
    "--strict": "what could not be run counts as failed",
    "--json": "print data for programs",
}
_BROKEN_PIPE: Final = 141  # 128 + SIGPIPE, as shells have it
_INTERRUPTED: Final = 130  # 128 + SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit status.

    Args:
        arguments: what follows `qicore`; by default those of this process.
    """
    import sys

    given = sys.argv[1:] if arguments is None else arguments
    _make_writable()
    try:
        status = _run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        if error.filename is not None:
            raise  # a file's, and a bug; what follows is of a stream
        return _unwritten(error)
    return status


def _make_writable() -> None:
    """Have output that was closed go nowhere, and characters that it has not be escaped."""
    import sys

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            from os import devnull

            setattr(sys, name, open(devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for good
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _unwritten(error: OSError) -> int:
    """Say that the output could not be written, if there is still somebody to hear it."""
    import os
    import sys

    def give_up(stream: TextIO) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or Python tries at its end

    give_up(sys.stdout)
    if isinstance(error, BrokenPipeError):  # `qicore explain | head`: the reader has seen enough
        give_up(sys.stderr)
        return _BROKEN_PIPE
    from qicore_core import QiError

    from .codes import OUTPUT_FAILED
    from .terminal import print_failure

    said = f"the output could not be written: {error.strerror}"
    failed = QiError.exhausted(OUTPUT_FAILED, said, hint="is the disk full?", source="qicore")
    try:
        return print_failure(failed)
    except OSError:
        give_up(sys.stderr)
        return failed.category.exit_code


def _run(given: list[str]) -> int:
    import sys

    if given in (["--version"], ["-V"]):
        sys.stdout.write(f"qicore {__version__}\n")
        return 0
    if not given or given[0] in ("--help", "-h", "help"):
        sys.stdout.write(_help())
        return 0
    from .terminal import print_failure  # late: the two above need no core

    for words, arguments, what, module, function in _VERBS:
        length = words.count(" ") + 1
        if " ".join(given[:length]) == words:
            usage = f"usage: qicore {words} {arguments}"
            if "--help" in given or "-h" in given:
                sys.stdout.write(_help_of(usage, what))
                return 0
            result = _verb(module, function)(given[length:], usage)
            return result.value if result else print_failure(result.error)
    group = [row for row in _VERBS if row[0].startswith(f"{given[0]} ")]
    if group and given[1:2] in (["--help"], ["-h"]):
        sys.stdout.write("".join(map(_line, group)))
        return 0
    return _foreign(given)


def _verb(module: str, function: str) -> Callable[[list[str], str], Result[int]]:
    from importlib import import_module

    verb: Callable[[list[str], str], Result[int]]
    verb = getattr(import_module(f"{__package__}.verbs.{module}"), function)
    return verb


def _foreign(given: list[str]) -> int:
    """Run a verb that a plugin brings; none is a usage error with the nearest that there is."""
    from qicore_core import plugins

    from .terminal import print_failure
    from .usage import misused, nearest

    commands: dict[str, Callable[[list[str]], int]] = {}
    loaded, errors = plugins.hook_modules()
    for plugin in loaded:
        called = plugins.call_hook(plugin, "qicore_register_commands", commands)
        if not called:
            errors.append(called.error)
    if given[0] in commands:
        return commands[given[0]](given[1:])
    known = [*(row[0] for row in _VERBS), *commands, "--version", "--help"]
    said = " ".join(given[:2])
    near = nearest(said, known) or nearest(given[0], known)
    hint = f"did you mean `qicore {near}`?" if near else "see `qicore --help`"
    if errors:
        hint += f"; {len(errors)} plugins that may bring verbs do not work: `qicore plugins doctor`"
    return print_failure(misused(f"there is no `qicore {said}`", hint))


def _help() -> str:
    return (
        "usage: qicore VERB ...\n\n"
        + "".join(map(_line, _VERBS))
        + "  qicore --version, qicore VERB --help\n\n"
        + "Plugins may bring verbs of their own. Exit status: 0 well, 1 not well, else\n"
        + "that of the error's category, as `qicore explain CODE` tells; 64 is misuse.\n"
    )


def _line(row: tuple[str, ...]) -> str:
    return f"  qicore {row[0]} {row[1]}\n      {row[2]}\n"


def _help_of(usage: str, what: str) -> str:
    options = [f"  {name:21} {said}\n" for name, said in _OPTIONS.items() if name in usage]
    return "".join([f"{usage}\n\n{what}\n", *(["\n", *options] if options else [])])
