"""What a handler stands on, from the runtime: `cache: Cache = use(CACHE)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection

from qicore_core import Kind, Runtime

from .errors import client_missing, unsupported

if TYPE_CHECKING:
    from qicore_core.opening import Closes

__all__ = ["RUNTIME", "check_uses", "use"]

Client = TypeVar("Client", bound="Closes")
RUNTIME: Final = "qicore_runtime"  # the name under which the application's state holds it
_ASKED: Final = "qicore_asked"  # the name under which a dependency made by `use` says for what
_MOST: Final = 5  # routes that are named


def use(kind: Kind[Any, Client], name: str = "", /) -> Client:
    """Have a handler's parameter filled with a client of the runtime, as its default.

    Args:
        kind: the domain's token, `CACHE`, `SQL`.
        name: the section's name, where there are several: `use(SQL, "audit")`.

    A runtime that has no such client is a mistake in the program: the application does not start,
    and says which section is missing (WEB_CLIENT_MISSING).
    """
    if isinstance(kind, str):
        raise unsupported("use() without a kind", f"write use(SQL, {kind!r})")
    if not isinstance(kind, Kind):
        raise TypeError(f"use() needs the kind of what it gives, as in use(CACHE), got {kind!r}")

    async def client(connection: HTTPConnection) -> Client:
        return _found(connection.app, kind, name)

    setattr(client, _ASKED, (kind, name))
    dependency: Any = Depends(client)
    return dependency  # type: ignore[no-any-return]  # what FastAPI hands in is the client


def check_uses(app: FastAPI) -> None:
    """See that the runtime has every client that a route asks for.

    Errors:
        WEB_CLIENT_MISSING: it has not; it is raised, as an application that starts has no other way
            to say so.
    """
    missing = []
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if isinstance(dependant, Dependant):
            for kind, name in _asked(dependant, app.dependency_overrides):
                try:
                    _found(app, kind, name)
                except LookupError as error:
                    verbs = "/".join(sorted(route.methods or ("WebSocket",)))
                    missing.append(f"{verbs} {route.path}: {error.args[0]}")
    if missing:
        raise client_missing(missing[:_MOST])


def _asked(dependant: Dependant, replaced: dict[Any, Any]) -> Iterator[tuple[Kind[Any, Any], str]]:
    """Find what a route asks for, by itself and by what it depends on."""
    if dependant.call in replaced:
        return  # as tests do
    asked: tuple[Kind[Any, Any], str] | None = getattr(dependant.call, _ASKED, None)
    if asked is not None:
        yield asked
    for one in dependant.dependencies:
        yield from _asked(one, replaced)


def _found(app: Any, kind: Kind[Any, Client], name: str) -> Client:
    runtime: Runtime | None = getattr(app.state, RUNTIME, None)
    if runtime is None:
        raise LookupError(
            f"there is no runtime to give a {kind.name} client: "
            "install(app, runtime=Runtime.open(data)) opens one as the application starts"
        )
    client: Client = runtime.get(kind, name)
    return client
