"""A configuration as a type: `Configuration(Schema)` reads data as the dataclass it is to be."""

from __future__ import annotations

from .data import ConfigData
from .key import path_of
from .readers import schema_reader
from .trouble import several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import Generic, TypeVar, final

    from ..error import QiError
    from ..result import Result

    T = TypeVar("T")
else:
    from ..lean import Generic, final

    T = object

__all__ = ["Configuration"]


@final
class Configuration(Generic[T]):
    """Read a configuration as a schema: a dataclass, or a class that a plugin knows to read.

    Fields may be texts, numbers, bool, None, Path, Decimal, UUID, datetime, date, time, timedelta,
    enums, `Literal`, `Secret`, other dataclasses, unions of these, and lists, tuples, sets and
    dicts of them. A ValueError that `__post_init__` raises is an error like the others. Text from
    the environment or arguments may also be a list with commas, or JSON where a list or a section
    is wanted; empty, it is unset for all but text.

    Args:
        schema: the class.
        ignore_unknown: leave keys alone that the schema does not have; by default each is an error.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Database:
    ...     host: str
    ...     port: int = 5432
    >>> Configuration(Database).from_object({"host": "localhost"})
    Success(Database(host='localhost', port=5432))
    >>> for error in Configuration(Database).from_object({"hots": "x"}).unwrap_error().errors:
    ...     print(error.message)
    host is missing
    hots is no key of Database (object)
    """

    __slots__ = ("_ignore_unknown", "_schema")

    def __init__(self, schema: type[T], /, *, ignore_unknown: bool = False) -> None:
        self._schema = schema
        self._ignore_unknown = ignore_unknown

    def from_data(self, data: ConfigData, /) -> Result[T]:
        """Read data as the schema, or say all that is wrong with it.

        Errors:
            CONFIG_VALIDATION_FAILED: `errors` has one for each key at fault, which names it and the
                line or variable that says it: CONFIG_KEY_NOT_FOUND (it is needed),
                CONFIG_KEY_UNKNOWN (the schema has none such; the hint gives the nearest),
                CONFIG_TYPE_MISMATCH, CONFIG_VALUE_REJECTED (`__post_init__` refused).
            CONFIG_SCHEMA_UNKNOWN: nothing here reads such a schema; the hint says what does.
        """
        if not hasattr(self._schema, "__dataclass_fields__"):
            return self._from_data_by_plugin(data)
        from .reading import read  # late: it loads typing and dataclasses

        return read(self._schema, data, self._ignore_unknown)

    def from_object(self, values: Mapping[str, object], /, source: str = "object") -> Result[T]:
        """Read nested mappings; errors as `ConfigData.from_object` and `from_data`."""
        return ConfigData.from_object(values, source).flat_map(self.from_data)

    def from_file(self, file: str | PathLike[str], /, format: str | None = None) -> Result[T]:
        """Read a file; errors as `ConfigData.from_file` and `from_data`."""
        return ConfigData.from_file(file, format).flat_map(self.from_data)

    def from_environment(
        self, prefix: str, /, environ: Mapping[str, str] | None = None
    ) -> Result[T]:
        """Read variables; errors as `ConfigData.from_environment` and `from_data`."""
        return ConfigData.from_environment(prefix, environ).flat_map(self.from_data)

    def __repr__(self) -> str:
        return f"Configuration({self._schema.__name__})"

    def _from_data_by_plugin(self, data: ConfigData) -> Result[T]:
        reader = schema_reader(self._schema)
        if not reader:
            return reader
        result = reader.value(self._schema, data.as_dict())
        return result.map_error(lambda error: _placed(error, data))


def _placed(error: QiError, data: ConfigData) -> QiError:
    """Name the line or the variable in each error that names its key."""
    if error.errors:
        held = [_placed(one, data) for one in error.errors]
        return several(held, error.code, error.message)
    key = error.context.get("key")
    return error.with_context(at=data.place_of(path_of(key))) if isinstance(key, str) else error
