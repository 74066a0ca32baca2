"""Settings of a domain and of its drivers: the one way in which keywords, URLs and sections read.

Each is a frozen dataclass whose `__post_init__` refuses by a ValueError.
"""

from __future__ import annotations

from ..error import QiError
from ..error.qi_error import again
from ..plugins import no_setting
from ..result import Failure, failure
from .schema import Configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeVar

    from ..result import Result

    S = TypeVar("S")

__all__ = ["read_settings"]


def read_settings(
    schema: type[S],
    values: Mapping[str, object],
    said: str,
    /,
    *,
    kind: str,
    code: str,
    also: Iterable[Any] = (),
) -> Result[S]:
    """Read settings as a dataclass; text, as URLs and variables have it, becomes its types.

    Args:
        schema: how it reads is `Configuration`'s; what it does not know (a Policy, a client) is
            taken as it is.
        values: what was said.
        said: where, for messages: "memory:".
        kind: whose, for messages: "cache".
        code: the domain's for settings that are wrong.
        also: the dataclasses that read the rest of what may be said; their names may be the nearest
            to one that is none.

    Errors:
        `code`: all that is wrong; `errors` has one for each.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Duck:
    ...     max_entries: int = 100
    >>> read_settings(Duck, {"max_entries": "5"}, "duck:", kind="cache", code="CACHE_WRONG")
    Success(Duck(max_entries=5))
    >>> read_settings(Duck, {"max": 5}, "duck:", kind="cache", code="CACHE_WRONG").error.message
    "there is no cache setting 'max', there are max_entries"
    """
    from dataclasses import fields  # late: it is costly, and loaded where there is a schema

    own = [field.name for field in fields(schema)]  # type: ignore[arg-type]  # a dataclass
    known = own + [field.name for one in also for field in fields(one)]  # no class variables
    ours = {name: value for name, value in values.items() if name in own}
    wrong = [no_setting(kind, name, known, code) for name in values if name not in own]
    read = Configuration(schema).from_object(ours, said)
    if isinstance(read, Failure):
        wrong += read.error.errors or (read.error,)
    if not wrong:
        return read
    message = "; ".join([", ".join(filter(None, (one.message, one.hint))) for one in wrong])
    return failure(again(QiError.aggregate(wrong, code=code, message=message), source=kind))
