"""`qicore config show` and `qicore config explain`."""

from __future__ import annotations

from qicore_core import Failure, QiError, failure, success
from qicore_core.codes import CONFIG_KEY_NOT_FOUND

from .. import terminal
from ..sources import OPTIONS, read_configuration
from ..usage import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qicore_core import Result

__all__ = ["explain", "show"]


def show(given: list[str], usage: str, /) -> Result[int]:
    """Print every key, its value and who said it; secrets are masked."""
    arguments = read(given, usage, flags=("--json",), options=OPTIONS, least=1, most=None)
    if not arguments:
        return arguments
    data = read_configuration(arguments.value.words, arguments.value)
    if isinstance(data, Failure):
        return data
    said = {key: data.value.explain(key).won[0] for key in data.value.keys()}  # noqa: SIM118  # no dict
    if "--json" in arguments.value.flags:
        rows = [{"key": key, "value": one.shown, "from": one.place} for key, one in said.items()]
        terminal.print_json(rows)
    else:
        lines = [(key, one.shown, one.place) for key, one in said.items()]
        terminal.print_table(("key", "value", "from"), lines)
    return success(0)


def explain(given: list[str], usage: str, /) -> Result[int]:
    """Print who said a key and what that shadows.

    Errors:
        CONFIG_KEY_NOT_FOUND: nothing says it.
    """
    arguments = read(given, usage, options=OPTIONS, least=2, most=None)
    if not arguments:
        return arguments
    key, *files = arguments.value.words
    data = read_configuration(files, arguments.value)
    if isinstance(data, Failure):
        return data
    explanation = data.value.explain(key)
    if not explanation.won:
        return data.value.get(key)
    if not explanation.is_set:
        message = str(explanation).split("\n")[0]
        return failure(QiError.configuration(CONFIG_KEY_NOT_FOUND, message, key=key))
    terminal.say(str(explanation))
    return success(0)
