"""What a handler stands on, from the runtime: `cache: Cache = use(CACHE)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from qicore_core import Kind, Runtime

if TYPE_CHECKING:
    from qicore_core.opening import Closes

__all__ = ["RUNTIME", "use"]

Client = TypeVar("Client", bound="Closes")
RUNTIME: Final = "qicore_runtime"  # the name under which the application's state holds it


def use(kind: Kind[Any, Client], name: str = "", /) -> Client:
    """Have a handler's parameter filled with a client of the runtime, as its default.

    Args:
        kind: the domain's token, `CACHE`, `SQL`.
        name: the section's name, where there are several: `use(SQL, "audit")`.

    A runtime that has no such client is a mistake in the program: the request is answered 500, and
    the log says which section is missing.
    """
    if not isinstance(kind, Kind):
        raise TypeError(f"use() needs the kind of what it gives, as in use(CACHE), got {kind!r}")

    async def client(connection: HTTPConnection) -> Client:
        runtime: Runtime | None = getattr(connection.app.state, RUNTIME, None)
        if runtime is None:
            raise LookupError(
                f"use({kind!r}) finds no runtime: install(app, runtime=...), and start the "
                "application's lifespan"
            )
        found: Client = runtime.get(kind, name)
        return found

    dependency: Any = Depends(client)
    return dependency  # type: ignore[no-any-return]  # what FastAPI hands in is the client
