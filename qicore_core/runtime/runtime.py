"""Configuration in, opened adapters out: what a program stands on is opened and stopped here.

Sections are read by kind: `[cache]` with a `url` is one cache, `[sql.main]` and `[sql.audit]` are
two databases; `[qicore.plugins]` says which plugins may be imported. They open side by side and
close in reverse order. This room must never learn which kinds there are: the plugin of a section's
URL brings its Kind along.
"""

from __future__ import annotations

from .. import codes, events
from ..combine import partition
from ..concurrency import gather
from ..config import ConfigData
from ..config.key import nearest, path_of
from ..error import QiError
from ..error.qi_error import again
from ..events import CallEvent
from ..kinds import Kind, Parts
from ..opening import Opening
from ..plugins import PluginPolicy, call_hook, hook_modules, load
from ..resilience import Deadline
from ..result import Failure, Success, failure, success
from ..secret import Secret
from .component import Late, check, close, limited
from .sections import driver, label, policy, sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Final, TypeVar

    from ..kinds import Health
    from ..opening import Closes
    from ..result import Result

    Client = TypeVar("Client", bound=Closes)
    T = TypeVar("T")

__all__ = ["Runtime"]

_OPEN_TIMEOUT: Final = 30.0
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

    Attributes:
        passed_over: the sections that are no kind's: the program's own, or a kind's misspelt.
    """

    __slots__ = (
        "_checks", "_clients", "_close_timeout", "_closers", "_emit", "_stops", "passed_over",
    )  # fmt: skip

    def __init__(self, close_timeout: float, emit: Callable[[CallEvent], object], /) -> None:
        self._clients: dict[str, Any] = {}
        self._checks: dict[str, Callable[[], Any]] = {}
        self._close_timeout = close_timeout
        self._closers: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._emit = emit
        self._stops: list[Callable[[], object]] = []
        self.passed_over: tuple[str, ...] = ()

    @staticmethod
    def open(
        data: ConfigData,
        /,
        *,
        parts: Parts | None = None,
        open_timeout: float | None = _OPEN_TIMEOUT,
        close_timeout: float = _CLOSE_TIMEOUT,
        handle_sigterm: bool = True,
    ) -> Opening[Runtime]:
        """Open every section of a kind that is installed, side by side.

        Args:
            data: the configuration; sections that are no kind's are the program's own and left
                alone.
            parts: handed to every factory; which plugins may be imported say `parts.plugins`, else
                the section `[qicore.plugins]` and the environment.
            open_timeout: seconds that opening may take, less where a Deadline is nearer; None is
                no limit of its own.
            close_timeout: seconds that closing everything may take; what is not closed by then is
                left.
            handle_sigterm: cancel the task that entered on SIGTERM, from opening to the end of
                closing, so that the block is left and all is closed; only in the main thread, and
                only where nobody handles the signal yet.

        A plugin of hooks that does not load stops nothing: `health()` names it. To forget the
        unwrapping of the data's Result is a TypeError.

        Errors:
            RUNTIME_SECTION_INVALID: a section that is neither one adapter nor several named ones.
            RUNTIME_OPEN_TIMEOUT: a section was not opened in time.
            PLUGIN_POLICY_INVALID: what `[qicore.plugins]` says.
            what a plugin or a driver fails with, with its section and the line that says it in the
            message, and as `component` and `at` in its context; what was opened is closed.
        """
        if not isinstance(data, ConfigData):
            is_result = isinstance(data, Success | Failure)
            mend = "unwrap it" if is_result else "ConfigData.from_object makes one of a dict"
            raise TypeError(f"Runtime.open takes a ConfigData, got {type(data).__name__}: {mend}")

        async def start() -> Result[Runtime]:
            from copy import copy  # late, and a copy: the parts are the caller's

            handed = copy(parts or Parts())
            if handed.plugins is None:
                said = policy(data.as_dict())
                if isinstance(said, Failure):
                    return said
                handed.plugins = said.value
            runtime, is_open = Runtime(close_timeout, handed.emit), False
            try:
                if handle_sigterm:
                    _cancel_on_sigterm(runtime)
                opened = await _start(runtime, data, handed, open_timeout)
                is_open = bool(opened)
            finally:  # a Failure, a bug or a cancellation: what was opened is closed, and it passes
                if not is_open:
                    await runtime.close()
            return opened

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
                made._keep(label(kind, name), one)
        return made

    def get(self, kind: Kind[Any, Client], name: str = "", /) -> Client:
        """Give the client of a section; without a name the unnamed one, or the only one.

        One that is not there is a LookupError that says what is: it is a mistake in the program or
        its configuration, which no retry mends.
        """
        wanted = label(kind.name, name)
        named = [one for one in self._clients if not name and one.startswith(f"{wanted}.")]
        found = [wanted] if wanted in self._clients else named
        if len(found) == 1:
            client: Client = self._clients[found[0]]
            return client
        there = ", ".join(sorted(self._clients)) or "nothing"
        near = nearest(kind.name, self.passed_over)
        said = f"the runtime has no {wanted}; it has {there}: add a section [{wanted}]"
        raise LookupError(f"{said}; is [{near}] it?" if near else said)

    @property
    def components(self) -> tuple[str, ...]:
        """The names of what is open, adapters and components of your own, in order of opening."""
        return tuple({**self._clients, **dict(self._closers)})

    async def add(self, name: str, component: AbstractAsyncContextManager[T], /) -> T:
        """Enter a component of your own; it is left with the others, in reverse order.

        It is left in a task of its own, so that it can be left behind: what must be left in the
        task that entered it, as a cancel scope, has a block of its own inside the Runtime's.

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

        self._clients.clear()
        self._checks.clear()
        until = asyncio.get_running_loop().time() + self._close_timeout
        errors: list[QiError] = []
        passes: BaseException | None = None
        while self._closers:
            try:
                closed = await close(*self._closers.pop(), until)
            except BaseException as exception:  # noqa: BLE001  # see above: raised below
                passes = passes or exception
                continue
            if isinstance(closed, Failure):
                errors.append(error := closed.error)
                self._emit(CallEvent("runtime", "close", error=error, fields=error.context))
        while self._stops:  # last: they hear of the closing, and SIGTERM does not break it off
            self._stops.pop()()
        if passes is not None:
            raise passes
        if not errors:
            return success()
        return failure(errors[0] if len(errors) == 1 else QiError.aggregate(errors))

    def _keep(self, name: str, client: Any) -> None:
        self._clients[name] = client
        self._watch(name, client)

    def _watch(self, name: str, component: Any) -> None:
        check = getattr(component, "health", None)
        if callable(check):
            self._checks[name] = check


async def _start(
    runtime: Runtime, data: ConfigData, parts: Parts, timeout: float | None
) -> Result[Runtime]:
    import asyncio  # late, as above

    values = data.as_dict()
    found = sections(values)
    if isinstance(found, Failure):
        return found
    known = {"qicore", *[kind for kind, _, _ in found.value]}
    others = [name for name in values if name not in known and isinstance(values[name], dict)]
    runtime.passed_over = tuple(others)
    left = Deadline.within(timeout)
    until = None if left is None else asyncio.get_running_loop().time() + left

    async def in_time(kind: str, name: str, settings: dict[str, Any]) -> Result[None]:
        try:
            return await limited(lambda: _open(runtime, data, parts, kind, name, settings), until)
        except Late:
            why, hint = "it was not opened in time", "raise open_timeout, or look at what it awaits"
            error = QiError.timeout(codes.RUNTIME_OPEN_TIMEOUT, why, hint=hint, source="runtime")
            return failure(_placed(error, name, data))

    opened = await gather([in_time(*one) for one in found.value])
    if isinstance(opened, Failure):
        return opened
    _hook(runtime, parts.plugins)
    return success(runtime)


async def _open(
    runtime: Runtime, data: ConfigData, parts: Parts, kind: str, name: str, settings: dict[str, Any]
) -> Result[None]:
    url = settings.pop("url", None)
    text = None if url is None else str(url.reveal() if isinstance(url, Secret) else url)
    loaded = load(kind, driver(kind, text), parts.plugins)
    if isinstance(loaded, Failure):
        return failure(_placed(loaded.error, name, data))
    token = loaded.value.kind
    if not isinstance(token, Kind):
        return success()  # an extension has no sections: this one is the program's own
    opened = await token.open_client(text, settings, parts)
    if isinstance(opened, Failure):
        return failure(_placed(opened.error, name, data))
    runtime._closers.append((name, opened.value.close))
    runtime._keep(name, opened.value)
    return success()


def _placed(error: QiError, name: str, data: ConfigData) -> QiError:
    """Say which section an error is of, and who said the setting at fault, else the section."""
    named = [one.context.get("setting") or one.context.get("key") for one in (error, *error.errors)]
    setting = next(filter(None, named), "")
    place = data.place_of((*path_of(name), *path_of(str(setting))))
    context = {**error.context, "component": name, "at": place}
    return again(error, message=f"[{name}] ({place}): {error.message}", context=context)


def _hook(runtime: Runtime, plugins: PluginPolicy | None) -> None:
    """Let the plugins of hooks listen and add checks; one that cannot is a check that fails."""

    def listen(listener: Callable[[CallEvent], object], /) -> Callable[[], None]:
        stop = events.listen(listener)
        runtime._stops.append(stop)
        return stop

    found, errors = hook_modules(plugins)
    for loaded in found:
        listened = call_hook(loaded, "qicore_observe", listen)
        checked = call_hook(loaded, "qicore_health", runtime._checks)
        errors += partition([listened, checked])[1]
    for error in errors:

        async def fails(error: QiError = error) -> Result[None]:
            return failure(error)

        runtime._checks[f"plugin {error.context['plugin']}"] = fails


def _cancel_on_sigterm(runtime: Runtime) -> None:
    import asyncio  # late, as above
    import signal

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return  # a server or the program itself handles it
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # this runs inside one
    try:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    except RuntimeError:  # another thread than the main one, or a loop without signals
        return
    runtime._stops.append(lambda: loop.remove_signal_handler(signal.SIGTERM))
