"""Who reads what the core does not: other formats by file ending, other schemas by their library.

`lookup` is the one seam to the plugins: it is asked with the kind of an entry point group and a
name in it, and gives the function that a plugin registered there.
"""

from __future__ import annotations

from .. import codes
from ..kinds import FORMAT, SCHEMA
from ..result import Failure, Success, failure
from .trouble import config_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..error import QiError
    from ..kinds import ReadsFormat, ReadsSchema
    from ..plugins import Loaded
    from ..result import Result

__all__ = ["format_reader", "lookup", "schema_reader"]


def lookup(kind: str, name: str, /) -> Result[Any]:
    """Give what a plugin registered under a kind and a name, or what the plugin fails with."""
    from ..plugins import load  # late: most configurations need no plugin

    return load(kind, name).map(_guarded)


def _guarded(plugin: Loaded) -> Callable[..., Result[Any]]:
    """Let what a plugin raises or gives wrongly be a Failure that names it."""
    from ..plugins import faults  # late, as above

    def read(*given: object) -> Result[Any]:
        try:
            result = plugin.factory(*given)
        except (Exception, SystemExit) as exception:  # noqa: BLE001  # foreign code
            return failure(faults.failed(plugin.listed, "reading", exception))
        if isinstance(result, Success | Failure):
            return result
        why = f"reading gave {type(result).__name__}, not a Result"
        return failure(faults.invalid(plugin.listed, why))

    return read


def format_reader(name: str, file: str, /) -> Result[ReadsFormat]:
    """Find who reads a format; the error names the file.

    Errors:
        CONFIG_FORMAT_UNKNOWN: nothing here reads it; the hint says which plugin does.
    """

    def unknown(error: QiError) -> QiError:
        hint = f"the core reads .toml and .json; {error.hint}"
        if file.endswith(".env"):
            hint = f'read it with ConfigData.from_dotenv("{file}", "APP_")'
        said = f"{file} is in the format {name!r}, which nothing here reads"
        return config_error(codes.CONFIG_FORMAT_UNKNOWN, said, hint, error, file=file, format=name)

    return lookup(FORMAT.name, name).map_error(unknown)


def schema_reader(schema: type, /) -> Result[ReadsSchema]:
    """Find who reads a schema that is no dataclass, by the top package of what it derives from.

    Errors:
        CONFIG_SCHEMA_UNKNOWN: nothing here reads it; the hint says which plugin does.
    """
    packages = [base.__module__.partition(".")[0] for base in schema.__mro__[1:]]
    package = next((name for name in packages if name != "builtins"), None)
    if package is None:
        said = f"{schema.__name__} is no schema"
        hint = "make it a dataclass: @dataclass(frozen=True)"
        return failure(config_error(codes.CONFIG_SCHEMA_UNKNOWN, said, hint))

    def unknown(error: QiError) -> QiError:
        said = f"{schema.__name__} is a schema of {package}, which nothing here reads"
        hint = f"the core reads dataclasses; {error.hint}"
        return config_error(codes.CONFIG_SCHEMA_UNKNOWN, said, hint, error, package=package)

    return lookup(SCHEMA.name, package).map_error(unknown)
