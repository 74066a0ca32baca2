"""Configuration in, opened adapters out: what a program stands on is opened and stopped here.

Sections are read by kind: `[cache]` with a `url` is one cache, `[sql.main]` and `[sql.audit]` are
two databases; `[qicore.plugins]` says which plugins may be imported. They open side by side and
close in reverse order. This room must never learn which kinds there are: the plugin of a section's
URL brings its Kind along.
"""

from __future__ import annotations

from .. import events
from ..combine import partition
from ..concurrency import gather
from ..error import QiError
from ..events import CallEvent
from ..kinds import Kind, Parts
from ..opening import Opening
from ..plugins import PluginPolicy, call_hook, hook_modules, load
from ..result import Failure, Success, failure, success
from ..secret import Secret
from .component import check, close
from .sections import driver, label, policy, sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Final, TypeVar

    from ..config import ConfigData
    from ..kinds import Health
    from ..opening import Closes
    from ..result import Result

    Client = TypeVar("Client", bound=Closes)
    T = TypeVar("T")

__all__ = ["Runtime"]

_CLOSE_TIMEOUT: Final = 10.0
_CHECK_TIMEOUT: Final = 5.0


class Runtime:
    """What a program stands on, opened: `async with Runtime.open(data) as runtime:`.

    Example:
        ```python
        async with Runtime.open(ConfigData.from_file("app.toml").unwrap()) as runtime:
            cache = runtime.get(CACHE)             # section [cache]
            audit = runtime.get(SQL, "audit")      # section [sql.audit]
        ```
    """

    __slots__ = ("_checks", "_clients", "_close_timeout", "_closers", "_emit", "_stops")

    def __init__(self, close_timeout: float, emit: Callable[[CallEvent], object], /) -> None:
        self._clients: dict[tuple[str, str], Any] = {}
        self._checks: dict[str, Callable[[], Any]] = {}
        self._close_timeout = close_timeout
        self._closers: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._emit = emit
        self._stops: list[Callable[[], object]] = []

    @staticmethod
    def open(
        data: ConfigData,
        /,
        *,
        parts: Parts | None = None,
        plugins: PluginPolicy | None = None,
        close_timeout: float = _CLOSE_TIMEOUT,
        handle_sigterm: bool = True,
    ) -> Opening[Runtime]:
        """Open every section of a kind that is installed, side by side.

        Args:
            data: the configuration; sections that are no kind's are the program's own and left
                alone.
            parts: handed to every factory.
            plugins: which may be imported; by default `parts.plugins`, else what the section
                `[qicore.plugins]` and the environment say.
            close_timeout: seconds that closing everything may take; what is not closed by then is
                left.
            handle_sigterm: cancel the task that entered on SIGTERM, so that the block is left and
                all is closed; only in the main thread, and only where nobody handles the signal
                yet.

        A plugin of hooks that does not load stops nothing: `health()` names it.

        Errors:
            RUNTIME_SECTION_INVALID: a section that is neither one adapter nor several named ones.
            PLUGIN_POLICY_INVALID: what `[qicore.plugins]` says.
            what a plugin or a driver fails with, with `component` in its context; what was opened
            is closed.
        """

        async def start() -> Result[Runtime]:
            values, given = data.as_dict(), parts or Parts()
            chosen = plugins or given.plugins
            allowed = success(chosen) if chosen else policy(values)
            if isinstance(allowed, Failure):
                return allowed
            runtime = Runtime(close_timeout, given.emit)
            handed = _with_plugins(given, allowed.value)
            return await _start(runtime, values, handed, handle_sigterm)

        return Opening(start)

    @classmethod
    def of(cls, **clients: Any) -> Runtime:
        """Make a Runtime of what is open already, such as test doubles; the caller closes it.

        Args:
            clients: by kind's name: `Runtime.of(cache=fake, sql={"main": one, "audit": two})`.
        """
        made = cls(_CLOSE_TIMEOUT, events.emit)
        for kind, client in clients.items():
            for name, one in (client if isinstance(client, dict) else {"": client}).items():
                made._clients[kind, name] = one
                made._watch(label(kind, name), one)
        return made

    def get(self, kind: Kind[Any, Client], name: str = "", /) -> Client:
        """Give the client of a section; without a name the unnamed one, or the only one.

        One that is not there is a LookupError that says what is: it is a mistake in the program or
        its configuration, which no retry mends.
        """
        found = {named: one for (of, named), one in self._clients.items() if of == kind.name}
        if name in found:
            client: Client = found[name]
            return client
        if not name and len(found) == 1:
            return next(iter(found.values()))  # type: ignore[no-any-return]  # kept under its kind
        there = ", ".join(sorted(label(*one) for one in self._clients)) or "nothing"
        wanted = label(kind.name, name)
        raise LookupError(f"the runtime has no {wanted}; it has {there}: add a section [{wanted}]")

    async def add(self, name: str, component: AbstractAsyncContextManager[T], /) -> T:
        """Enter a component of your own; it is left with the others, in reverse order.

        A component that has `health()`, an async function that gives a Result, is asked with the
        others.
        """
        entered = await component.__aenter__()
        self._closers.append((name, lambda: component.__aexit__(None, None, None)))
        self._watch(name, entered)
        return entered

    async def health(self, *, timeout: float = _CHECK_TIMEOUT) -> list[Health]:
        """Ask every component that has a check, side by side; to fail, raise or be late is bad.

        Args:
            timeout: seconds for each check.
        """
        import asyncio  # late: a program may use the core without it

        async with asyncio.TaskGroup() as group:
            checks = [
                group.create_task(check(name, fn, timeout)) for name, fn in self._checks.items()
            ]
        return [check.result() for check in checks]

    async def close(self) -> Result[None]:
        """Close everything, the last opened first, within `close_timeout`; twice does no harm.

        One that raises, or a cancellation, does not keep the others open: it passes when all are
        closed. What fails is told as a CallEvent too, as leaving the block returns nothing.

        Errors:
            RUNTIME_CLOSE_TIMEOUT: one was not closed in time and was left.
            what the closing of one failed with; several are in `errors`.
        """
        import asyncio  # late, as above

        while self._stops:
            self._stops.pop()()
        self._clients.clear()
        self._checks.clear()
        until = asyncio.get_running_loop().time() + self._close_timeout
        results: list[Result[Any]] = []
        passes: BaseException | None = None
        while self._closers:
            try:
                results.append(await close(*self._closers.pop(), until))
            except BaseException as exception:  # noqa: BLE001  # see above: raised below
                passes = passes or exception
        _, errors = partition(results)
        for error in errors:
            self._emit(CallEvent("runtime", "close", error=error, fields=error.context))
        if passes is not None:
            raise passes
        if not errors:
            return success()
        return failure(errors[0] if len(errors) == 1 else QiError.aggregate(errors))

    def _keep(self, kind: str, name: str, client: Any) -> None:
        self._clients[kind, name] = client
        self._closers.append((label(kind, name), client.close))
        self._watch(label(kind, name), client)

    def _listen(self, listener: Callable[[CallEvent], object], /) -> Callable[[], None]:
        stop = events.listen(listener)
        self._stops.append(stop)
        return stop

    def _watch(self, name: str, component: Any) -> None:
        check = getattr(component, "health", None)
        if callable(check):
            self._checks[name] = check


async def _start(
    runtime: Runtime,
    values: Mapping[str, object],
    parts: Parts,
    handle_sigterm: bool,
) -> Result[Runtime]:
    found = sections(values)
    if isinstance(found, Failure):
        return found
    try:
        opened = await gather([_open(runtime, *one, parts) for one in found.value])
        if isinstance(opened, Success):
            _hook(runtime, parts.plugins)
    except BaseException:
        await runtime.close()  # a bug or a cancellation: what was opened is closed, and it passes
        raise
    if isinstance(opened, Failure):
        await runtime.close()
        return opened
    if handle_sigterm:
        _cancel_on_sigterm(runtime)
    return success(runtime)


def _hook(runtime: Runtime, plugins: PluginPolicy | None) -> None:
    """Let the plugins of hooks listen and add checks; one that cannot is a check that fails."""
    found, errors = hook_modules(plugins)
    for loaded in found:
        for hook, argument in (
            ("qicore_observe", runtime._listen),
            ("qicore_health", runtime._checks),
        ):
            called = call_hook(loaded, hook, argument)
            if isinstance(called, Failure):
                errors.append(called.error)
    for error in errors:

        async def fails(error: QiError = error) -> Result[None]:
            return failure(error)

        runtime._checks[f"plugin {error.context['plugin']}"] = fails


async def _open(
    runtime: Runtime,
    kind: str,
    name: str,
    settings: dict[str, object],
    parts: Parts,
) -> Result[None]:
    url = settings.pop("url", None)
    text = None if url is None else str(url.reveal() if isinstance(url, Secret) else url)
    loaded = load(kind, driver(kind, text), parts.plugins)
    if isinstance(loaded, Failure):
        return failure(loaded.error.with_context(component=label(kind, name)))
    token = loaded.value.kind
    if not isinstance(token, Kind):
        return success()  # an extension has no sections: this one is the program's own
    opened = await token.open_client(text, settings, parts)
    if isinstance(opened, Failure):
        return failure(opened.error.with_context(component=label(kind, name)))
    runtime._keep(kind, name, opened.value)
    return success()


def _cancel_on_sigterm(runtime: Runtime) -> None:
    import asyncio  # late, as above
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return  # a server or the program itself handles it
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # this runs inside one
    try:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    except NotImplementedError:  # a loop without signals, as on Windows
        return
    runtime._stops.append(lambda: loop.remove_signal_handler(signal.SIGTERM))


def _with_plugins(parts: Parts, plugins: PluginPolicy) -> Parts:
    return Parts(
        clock=parts.clock,
        random=parts.random,
        logger=parts.logger,
        emit=parts.emit,
        plugins=plugins,
    )
