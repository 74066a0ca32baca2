"""All of QiCore behind one import: `import qicore as qi`.

A window and nothing else: a name is looked up where it lives when it is first asked for, so that
the import costs no more than the core's own. Libraries import `qicore_core` or a domain.

>>> import qicore as qi
>>> qi.success(20).map(lambda n: n + 1).unwrap()
21
"""

from __future__ import annotations

import qicore_core

__version__ = "0.1.0"

# Where names live besides the core, by the module of each domain. A domain has a line here, and two
# for checkers below: `from qicore_cache import *` and `__all__ += qicore_cache.__all__`.
_HOMES: dict[str, tuple[str, ...]] = {
    "qicore_cache": (
        "CACHE",
        "Cache",
        "CacheSettings",
        "CacheStats",
        "CacheStore",
        "Codec",
        "CountingStore",
        "DefaultTtlStore",
        "Entry",
        "ExpiringStore",
        "Freshness",
        "JsonCodec",
        "LockingStore",
        "MISSING",
        "Missing",
        "MsgpackCodec",
        "ObjectStore",
        "SignedPickleCodec",
        "Space",
        "TrackingStore",
        "cached",
        "open_cache",
        "tiered",
    ),
    "qicore_http": (
        "AddressGuard",
        "Bearer",
        "Body",
        "BodyPart",
        "CallOptions",
        "FakeHttp",
        "HTTP",
        "Headers",
        "HttpClient",
        "HttpReply",
        "HttpRequest",
        "HttpResponse",
        "HttpTransport",
        "RecordedHttp",
        "RequestOptions",
        "ResponseCache",
        "ResponseStore",
        "open_http",
    ),
    "qicore_llm": (
        "LLM",
        "ChatOptions",
        "ChatProvider",
        "ChatReply",
        "ChatRequest",
        "Delta",
        "Done",
        "LLMClient",
        "Message",
        "Usage",
        "assistant",
        "fallback",
        "open_llm",
        "system",
        "user",
    ),
    "qicore_sql": (
        "Answer",
        "Database",
        "Dialect",
        "ListCursor",
        "Migration",
        "Progress",
        "Queries",
        "Row",
        "SQL",
        "SqlBackup",
        "SqlCursor",
        "SqlDriver",
        "SqlSession",
        "SqlTransaction",
        "Statement",
        "Step",
        "Transaction",
        "open_database",
    ),
}
# The same for what an extra brings: `qi.serve` works where it is installed, and says what to
# install where it is not; so these names are not in `__all__`, which can be taken whole.
_EXTRAS: dict[str, tuple[str, ...]] = {
    "qicore_fastapi": ("Router", "install", "problems", "request_id", "use"),
    "qicore_uvicorn": ("Server", "ServerStats", "serve"),
}

__all__: list[str] = []

TYPE_CHECKING = False
if TYPE_CHECKING:
    import qicore_cache
    import qicore_fastapi
    import qicore_http
    import qicore_llm
    import qicore_sql
    import qicore_uvicorn
    from qicore_cache import *  # noqa: F403 (checkers see every name, with its type)
    from qicore_core import *  # noqa: F403 (checkers see every name, with its type)
    from qicore_fastapi import *  # noqa: F403 (checkers see every name, with its type)
    from qicore_http import *  # noqa: F403 (checkers see every name, with its type)
    from qicore_llm import *  # noqa: F403 (checkers see every name, with its type)
    from qicore_sql import *  # noqa: F403 (checkers see every name, with its type)
    from qicore_uvicorn import *  # noqa: F403 (checkers see every name, with its type)

    __all__ += qicore_cache.__all__
    __all__ += qicore_fastapi.__all__
    __all__ += qicore_http.__all__
    __all__ += qicore_llm.__all__
    __all__ += qicore_sql.__all__
    __all__ += qicore_uvicorn.__all__
    __all__ += qicore_core.__all__
else:
    _HOME_OF = dict.fromkeys(qicore_core.__all__, "qicore_core") | {
        name: module for module, names in _HOMES.items() for name in names
    }
    __all__.extend(sorted(_HOME_OF))
    _HOME_OF |= {name: module for module, names in _EXTRAS.items() for name in names}

    def __getattr__(name: str) -> object:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = globals()[name] = getattr(__import__(home), name)
        except ModuleNotFoundError as missing:
            if missing.name != home:
                raise
            extra = home.removeprefix("qicore_")
            said = f"qicore.{name} is of qicore-{extra}: pip install 'qicore[{extra}]'"
            raise ModuleNotFoundError(said, name=home) from None
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
