"""What a plugin can be and what it is given: the nouns that all floors share.

A `Kind` is a token for one kind of adapter: domains make one each, drivers register under it, users
get clients by it. This room must never learn which kinds there are.
"""

from __future__ import annotations

from . import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

    from .error import QiError
    from .events import CallEvent
    from .opening import Closes, Opening
    from .plugins import PluginPolicy
    from .resilience import Clock
    from .result import Result

    Port = TypeVar("Port", bound=Closes)  # invariant, so that a wrong factory is an error
    Client = TypeVar("Client", bound=Closes, covariant=True)
    Provided = TypeVar("Provided")
    Factory: TypeAlias = Callable[[str, Mapping[str, object], "Parts"], Opening[Port]]

    ReadsFormat: TypeAlias = Callable[[str], Result[Mapping[str, object]]]
    ReadsSchema: TypeAlias = Callable[[type[Any], Mapping[str, object]], Result[Any]]
    MakesSink: TypeAlias = Callable[[Mapping[str, object]], Result[Any]]
else:
    from .lean import Generic, overload

    Port = Client = Provided = object

__all__ = [
    "Extension",
    "FORMAT",
    "Health",
    "Kind",
    "Parts",
    "PluginInfo",
    "Registry",
    "SCHEMA",
    "SINK",
]


class Kind(Generic[Port, Client]):
    """A kind of adapter: drivers bring a narrow `Port`, users hold a rich `Client`.

    Args:
        name: one lower-case word, "cache". The entry point group is `qicore.<name>`, a Runtime's
            section `[<name>]`.
        open_client: opens the client that a Runtime hands out, from a URL (None: the only driver
            installed), the settings of its section and the parts.
    """

    __slots__ = ("name", "open_client")

    def __init__(
        self,
        name: str,
        open_client: Callable[[str | None, Mapping[str, object], Parts], Opening[Client]],
        /,
    ) -> None:
        self.name = name
        self.open_client = open_client

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"


class Extension(Generic[Provided]):
    """A kind of plugin that opens nothing and provides a function."""

    __slots__ = ("name",)

    def __init__(self, name: str, /) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Extension({self.name!r})"


FORMAT: Final[Extension[ReadsFormat]] = Extension("format")
"""Reads a text of a format, named by its file ending ("yaml"), into plain data."""

SCHEMA: Final[Extension[ReadsSchema]] = Extension("schema")
"""Reads plain data as a schema, named by the top package of its bases ("pydantic")."""

SINK: Final[Extension[MakesSink]] = Extension("sink")
"""Makes a log sink of a name from its settings."""


class Parts:
    """What every factory is given and may use; it may grow, so take what you need by name.

    Attributes:
        clock: what tells the time and waits; by default the system's.
        random: gives numbers from 0.0 up to 1.0, for jitter; by default the system's.
        logger: where to say what no Result can; None is nowhere.
        emit: where CallEvents go.
        plugins: which plugins may be imported; None is what the environment says.
    """

    __slots__ = ("clock", "emit", "logger", "plugins", "random")

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        random: Callable[[], float] | None = None,
        logger: Any = None,
        emit: Callable[[CallEvent], object] = events.emit,
        plugins: PluginPolicy | None = None,
    ) -> None:
        from .resilience.clock import SYSTEM_CLOCK, system_random  # late: listing needs no clock

        self.clock: Clock = clock or SYSTEM_CLOCK
        self.random: Callable[[], float] = random or system_random
        self.logger = logger
        self.emit = emit
        self.plugins = plugins

    def replace(self, **changes: Any) -> Parts:
        """Give parts of which some are changed: `parts.replace(logger=log)`."""
        return Parts(**{name: getattr(self, name) for name in self.__slots__} | changes)


class Registry:
    """Where a plugin's `qicore_register_adapters(registry)` says what it brings."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Kind[Any, Any] | Extension[Any], Any]] = {}

    @overload
    def add(self, kind: Kind[Port, Any], name: str, factory: Factory[Port], /) -> None: ...
    @overload
    def add(self, kind: Extension[Provided], name: str, factory: Provided, /) -> None: ...
    def add(self, kind: Kind[Any, Any] | Extension[Any], name: str, factory: Any, /) -> None:
        """Register what opens or provides a name (a scheme, provider or file ending) of a kind.

        What is no kind, no name, cannot be called or was registered before is a ValueError: a
        plugin that does so is broken.
        """
        if not isinstance(kind, Kind | Extension):
            raise ValueError(f"registry.add needs a Kind such as CACHE, got {type(kind).__name__}")
        if not (isinstance(name, str) and name):
            raise ValueError(f"{kind.name} needs a name such as 'redis', got {name!r}")
        if not callable(factory):
            raise ValueError(f"{kind.name}/{name} needs a function, got {type(factory).__name__}")
        if (kind.name, name) in self._found:
            raise ValueError(f"{kind.name}/{name} is registered twice")
        self._found[kind.name, name] = kind, factory

    def find(self, kind: str, name: str, /) -> tuple[Kind[Any, Any] | Extension[Any], Any] | None:
        """Give the kind and the factory registered under a name, or None."""
        return self._found.get((kind, name))

    def names(self) -> list[str]:
        """List what is registered, as "kind/name", in order."""
        return [f"{kind}/{name}" for kind, name in self._found]


class PluginInfo:
    """What a plugin says of itself in `qicore_plugin_info(info)`, by setting attributes.

    Attributes:
        api: the range of core versions it works with, ">=0.1,<0.2"; judged after import, as
            Requires-Dist is before.
        summary: one line.
        docs: where to read on.
        settings: what can be set, by name, with a line each.
        needs_url: whether it is opened by its URL alone; a door without one passes it over.
    """

    __slots__ = ("api", "docs", "needs_url", "settings", "summary")

    def __init__(self) -> None:
        self.api = ""
        self.summary = ""
        self.docs = ""
        self.settings: dict[str, str] = {}
        self.needs_url = False


class Health:
    """How one component is.

    Attributes:
        name: which one: "cache", "sql.main".
        error: why it is not well, or None.
        duration: seconds the check took.
    """

    __slots__ = ("duration", "error", "name")

    def __init__(self, name: str, error: QiError | None, duration: float) -> None:
        self.name = name
        self.error = error
        self.duration = duration

    @property
    def is_well(self) -> bool:
        """Whether the component works."""
        return self.error is None

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data: no message, as strangers may ask for it."""
        said: dict[str, object] = {"name": self.name, "status": "pass" if self.is_well else "fail"}
        if self.error is not None:
            said["code"] = self.error.code
        said["duration"] = round(self.duration, 6)
        return said

    def __repr__(self) -> str:
        return f"Health({self.name!r}, {self.error.code if self.error else 'well'})"
