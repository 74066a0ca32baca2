"""Runtime: configuration in, opened adapters out; health; everything closed in the end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from qicore_core.config import ConfigData
from qicore_core.error import QiError
from qicore_core.events import CallEvent
from qicore_core.kinds import Kind, Parts
from qicore_core.plugins import PluginPolicy
from qicore_core.resilience import Deadline
from qicore_core.result import Failure, Success, failure, success
from qicore_core.runtime import Runtime
from qicore_core.secret import Secret
from qicore_core.testing import recorded

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

PROBE: Kind[Any, Any] = Kind("probe", print)  # type: ignore[arg-type]  # a token with the name
SLOW = """
import asyncio
from qicore_core.error import QiError
from qicore_core.hookspecs import hookimpl
from qicore_core.opening import Opening
from qicore_core.result import failure, success
from qicore_probe import PROBE, Probe

log = []

class Slow(Probe):
    async def close(self):
        log.append(f"closed {self.name}")
        await asyncio.sleep(0)
        self.is_open = False
        return await self.settings["on_close"]() if "on_close" in self.settings else success()

def open_slow(url, settings, parts, /):
    name = url.partition(":")[2]
    async def start():
        log.append(f"opening {name}")
        await settings.get("gate", asyncio.sleep)(0)
        if name == "fails":
            return failure(QiError.network("NO_ANSWER", "no answer"))
        if name == "raises":
            raise asyncio.CancelledError if settings.get("cancel") else KeyError("a bug")
        log.append(f"opened {name}")
        return success(Slow(name, settings))
    return Opening(start)

@hookimpl
def qicore_register_adapters(registry):
    registry.add(PROBE, "slow", open_slow)
"""


def _open(values: dict[str, Any], **options: Any) -> Any:
    return Runtime.open(ConfigData.from_object(values).unwrap(), **options)


def _log() -> list[str]:
    import acme_slow.plugin  # type: ignore[import-not-found]  # a driver that a test installed

    log: list[str] = acme_slow.plugin.log
    return log


@pytest.fixture
def domain(site: Site) -> Site:
    """Give a folder where a domain and the driver `slow` are installed."""
    site.install_domain()
    site.install_driver("slow", SLOW)
    return site


def test_sections_are_opened_by_kind_and_name_and_closed(domain: Site) -> None:
    values = {
        "probe": {
            "main": {"url": "slow:1", "size": 5},
            "audit": {"url": Secret("still:")},
            "third": {},
        },
        "app": {"url": "the program's own"},
    }

    async def main() -> list[Any]:
        plugins = PluginPolicy(deny=["acme-slow"])
        async with _open(values, parts=Parts(plugins=PluginPolicy())) as runtime:
            main, audit = runtime.get(PROBE, "main"), runtime.get(PROBE, "audit")
            third = runtime.get(PROBE, "third")
            assert (main.settings, audit.name, third.name) == ({"size": 5}, "still", "default")
            with pytest.raises(
                LookupError, match=r"has no probe; it has probe\.audit, probe\.main"
            ):
                runtime.get(PROBE)
        refused = await _open(values, parts=Parts(plugins=plugins))
        assert refused.unwrap_error().code == "PLUGIN_BLOCKED"
        return [main, audit, third]

    domain.install_driver("default", distribution="qicore-default")
    domain.install_driver("slow", SLOW)
    with pytest.raises(QiError, match="several are installed: default, slow"):
        asyncio.run(main())  # `third` has no url and two drivers are installed
    values["probe"]["third"] = {"url": "default:"}  # type: ignore[index]
    assert not any(client.is_open for client in asyncio.run(main()))


def test_the_only_client_needs_no_name(domain: Site) -> None:
    async def main() -> None:
        async with _open({"probe": {"audit": {"url": "slow:x"}}}) as runtime:
            assert runtime.get(PROBE).name == "x"
        async with _open({"probe": {}}) as runtime:
            assert runtime.get(PROBE).settings == {}
        async with _open({}) as runtime:
            with pytest.raises(LookupError, match=r"it has nothing: add a section \[probe.a\]"):
                runtime.get(PROBE, "a")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("slow:", "RUNTIME_SECTION_INVALID"),
        ({"url": "slow:fails"}, "NO_ANSWER"),
        ({"url": "no-such:"}, "PLUGIN_NOT_FOUND"),
    ],
    ids=["no section", "driver fails", "no driver"],
)
def test_what_does_not_open_is_named(domain: Site, section: object, code: str) -> None:
    async def main() -> Any:
        return await _open({"probe": section})

    error = asyncio.run(main()).unwrap_error()
    assert error.code == code
    assert error.context.get("component", "probe") == "probe"


def test_the_message_has_the_section_and_the_line_at_fault(domain: Site, tmp_path: Path) -> None:
    """Whoever prints it, `run` or a server, says which of two sections does not open, and where."""
    file = tmp_path / "app.toml"
    lines = ["[probe.users]", 'url = "slow:1"', "", "[probe.pages]", 'url = "no-such:"', "size = 5"]
    file.write_text("\n".join(lines), "utf-8")

    def error_of() -> QiError:
        async def main() -> Any:
            return await Runtime.open(ConfigData.from_file(file).unwrap())

        return asyncio.run(main()).unwrap_error()  # type: ignore[no-any-return]

    missing = error_of()
    assert missing.message.startswith(f"[probe.pages] ({file}:4): there is no probe plugin")
    assert missing.hint == "install a distribution that brings it (entry point group qicore.probe)"
    refuses = "failure(QiError.configuration('X_INVALID', 'size is wrong', setting='size'))"
    strict = SLOW.replace('"slow"', '"strict"').replace("success(Slow(name, settings))", refuses)
    domain.install_driver("strict", strict)
    file.write_text("\n".join(lines).replace("no-such:", "strict:"), "utf-8")
    wrong = error_of()
    assert wrong.message == f"[probe.pages] ({file}:6): size is wrong"
    assert (wrong.context["component"], wrong.context["at"]) == ("probe.pages", f"{file}:6")


def test_a_section_that_is_passed_over_is_named_where_its_kind_is_missed(domain: Site) -> None:
    async def main() -> None:
        values = {"prob": {"url": "slow:x"}, "app": {"a": 1}, "qicore": {"plugins": {}}, "debug": 1}
        async with _open(values) as runtime:
            assert runtime.passed_over == ("prob", "app")
            with pytest.raises(LookupError, match=r"add a section \[probe\]; is \[prob\] it\?$"):
                runtime.get(PROBE)

    asyncio.run(main())


def test_the_components_are_named_in_the_order_of_opening(domain: Site) -> None:
    async def main() -> None:
        async with _open({"probe": {"url": "slow:x"}}) as runtime:
            await runtime.add("mine", Component([], "mine"))
            assert runtime.components == ("probe", "mine")
        assert Runtime.of(cache=1, sql={"main": 2}).components == ("cache", "sql.main")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (ConfigData.from_object({}), "got Success: unwrap it"),
        ({}, "got dict: ConfigData.from_object makes one"),
    ],
    ids=["a Result", "a dict"],
)
def test_what_is_no_configuration_is_refused_at_once(data: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f"Runtime.open takes a ConfigData, {said}"):
        Runtime.open(data)


def test_one_that_does_not_open_closes_what_was_opened(domain: Site) -> None:
    async def main() -> Any:
        return await _open({"probe": {"a": {"url": "slow:a"}, "b": {"url": "slow:fails"}}})

    error = asyncio.run(main()).unwrap_error()
    assert (error.code, error.context["component"]) == ("NO_ANSWER", "probe.b")
    assert _log() == ["opening a", "opening fails", "opened a", "closed a"]


def test_a_cancellation_while_opening_closes_what_was_opened_and_passes(domain: Site) -> None:
    async def main() -> None:
        never, waiting = asyncio.Event(), asyncio.Event()

        async def gate(_: float) -> None:
            waiting.set()
            await never.wait()

        values = {"a": {"url": "slow:a"}, "b": {"url": "slow:b", "gate": gate}}
        task = asyncio.ensure_future(_start({"probe": values}))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert _log() == ["opening a", "opening b", "opened a", "closed a"]


async def _start(values: dict[str, Any]) -> Any:
    return await _open(values)


def test_a_section_named_as_an_extension_is_the_programs_own(site: Site) -> None:
    code = (
        "from qicore_core.hookspecs import hookimpl\n"
        "from qicore_core.kinds import Extension\n"
        "@hookimpl\n"
        "def qicore_register_adapters(registry):\n"
        "    registry.add(Extension('paint'), 'red', print)\n"
    )
    points = {"qicore.paint": {"red": "acme_red"}}
    site.install("acme-red", points=points, files={"acme_red.py": code})

    async def main() -> None:
        async with _open({"paint": {"colour": "blue"}, "format": {"a": 1}}) as runtime:
            assert await runtime.health() == []

    asyncio.run(main())


def test_a_key_named_as_an_extension_of_the_core_is_the_programs_own(site: Site) -> None:
    code = "raise SystemExit('imported')"
    points = {f"qicore.{kind}": {"xyz": "acme_xyz"} for kind in ("format", "schema", "sink")}
    site.install("acme-xyz", points=points, files={"acme_xyz.py": code})

    async def main() -> None:
        async with _open({"format": "json", "schema": {"url": "xyz:"}, "sink": {}}) as runtime:
            assert await runtime.health() == []

    asyncio.run(main())


def test_only_the_driver_of_the_url_is_needed(domain: Site) -> None:
    async def main() -> None:
        parts = Parts(plugins=PluginPolicy(allow=["acme-slow"]))
        async with _open({"probe": {"url": "slow:x"}}, parts=parts) as runtime:
            assert runtime.get(PROBE).name == "x"

    asyncio.run(main())


def test_the_configuration_says_which_plugins_may_be_imported(domain: Site) -> None:
    async def main(deny: object, **options: Any) -> Any:
        values = {"probe": {"url": "slow:x"}, "qicore": {"plugins": {"deny": deny}}}
        return await _open(values, **options)

    assert asyncio.run(main(["acme-slow"])).unwrap_error().code == "PLUGIN_BLOCKED"
    assert asyncio.run(main(5)).unwrap_error().code == "PLUGIN_POLICY_INVALID"
    given = Parts(plugins=PluginPolicy())
    assert asyncio.run(main(["acme-slow"], parts=given)).unwrap().get(PROBE).name == "x"


def test_parts_reach_the_factory(domain: Site) -> None:
    code = SLOW.replace("log = []", "log = given = []").replace(
        "    async def start():\n", "    given.append(parts)\n    async def start():\n", 1
    )
    domain.install_driver("slow", code)
    parts = Parts(logger="a logger", random=lambda: 0.5)

    async def main() -> None:
        async with _open({"probe": {"url": "slow:x"}}, parts=parts):
            handed: Any = _log()[0]
            assert (handed.logger, handed.random()) == ("a logger", 0.5)
            assert handed.plugins is not None
        assert parts.plugins is None  # the caller's stay as they are

    asyncio.run(main())


# Components of your own, and closing


class Component:
    """A context manager that says when it is entered and left."""

    def __init__(self, log: list[str], name: str, leave: Any = None) -> None:
        self.log, self.name, self.leave = log, name, leave

    async def __aenter__(self) -> Component:
        self.log.append(f"enter {self.name}")
        return self

    async def __aexit__(self, *_: object) -> Any:
        self.log.append(f"leave {self.name}")
        if self.leave:
            return await self.leave()
        return None


def test_components_are_left_in_reverse_before_the_adapters(domain: Site) -> None:
    log: list[str] = []

    async def main() -> None:
        async with _open({"probe": {"url": "slow:x"}}) as runtime:
            log.extend(_log())
            first = await runtime.add("first", Component(log, "first"))
            await runtime.add("second", Component(log, "second"))
            assert first.name == "first"
            _log().clear()
            _log().extend(["."])
        log.extend(_log())
        assert await runtime.close() == success()

    asyncio.run(main())
    assert log == [
        "opening x", "opened x", "enter first", "enter second", "leave second", "leave first", ".",
        "closed x",
    ]  # fmt: skip


def test_what_hangs_on_closing_is_left_and_named_and_the_rest_is_closed() -> None:
    log: list[str] = []

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def main() -> Any:
        opened = await Runtime.open(ConfigData.empty(), close_timeout=0.05)
        runtime = opened.unwrap()
        await runtime.add("quick", Component(log, "quick"))
        await runtime.add("stuck", Component(log, "stuck", hangs))
        await runtime.add("stuck too", Component(log, "stuck too", hangs))
        return await runtime.close()

    with recorded() as told:
        error = asyncio.run(main()).unwrap_error()
    assert log[3:] == ["leave stuck too", "leave stuck", "leave quick"]
    assert [held.code for held in error.errors] == ["RUNTIME_CLOSE_TIMEOUT"] * 2
    assert [held.context["component"] for held in error.errors] == ["stuck too", "stuck"]
    assert [(event.source, event.operation, event.fields["component"]) for event in told] == [
        ("runtime", "close", "stuck too"),
        ("runtime", "close", "stuck"),
    ]


def test_a_failure_of_closing_is_given(domain: Site) -> None:
    async def fails() -> Any:
        return failure(QiError.network("CLOSE_FAILED", "no"))

    async def main() -> Any:
        opened = await _open({"probe": {"url": "slow:x", "on_close": fails}})
        return await opened.unwrap().close()

    error = asyncio.run(main()).unwrap_error()
    assert (error.code, error.context["component"]) == ("CLOSE_FAILED", "probe")


@pytest.mark.parametrize("bug", [KeyError, TimeoutError, asyncio.CancelledError])
def test_a_bug_or_a_cancellation_passes_after_all_is_closed(bug: type[BaseException]) -> None:
    log: list[str] = []

    async def raises() -> None:
        raise bug("here")

    async def main() -> None:
        async with Runtime.open(ConfigData.empty()) as runtime:
            await runtime.add("first", Component(log, "first"))
            await runtime.add("second", Component(log, "second", raises))

    with pytest.raises(bug):
        asyncio.run(main())
    assert log[2:] == ["leave second", "leave first"]


# Health


class Checked:
    """A client that is as it is told to be."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def health(self) -> Any:
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def close(self) -> None: ...


def test_health_asks_all_and_one_that_is_ill_hides_no_other() -> None:
    runtime = Runtime.of(
        cache=Checked(success()),
        sql={"main": Checked(failure(QiError.network("DB_DOWN", "no"))), "audit": Checked(None)},
        http=Checked(ZeroDivisionError("oops")),
        other=object(),
    )
    found = asyncio.run(runtime.health(timeout=0.05))
    assert {one.name: one.error and one.error.code for one in found} == {
        "cache": None,
        "sql.main": "DB_DOWN",
        "sql.audit": "HEALTH_TIMEOUT",
        "http": "UNEXPECTED_EXCEPTION",
    }
    assert [one.duration >= 0.04 for one in found] == [False, False, True, False]


def test_test_doubles_stand_in_and_stay_open() -> None:
    class Fake:
        is_open = True

        async def close(self) -> None:
            self.is_open = False

    fake = Fake()
    runtime = Runtime.of(probe=fake)
    assert runtime.get(PROBE) is fake
    assert asyncio.run(runtime.close()) == success()
    assert fake.is_open


# Plugins of hooks


def _hooks(site: Site, name: str, code: str) -> None:
    head = "from qicore_core.hookspecs import hookimpl\n"
    files = {f"acme_{name}.py": head + textwrap.dedent(code)}
    site.install(f"acme-{name}", points={"qicore": {name: f"acme_{name}"}}, files=files)


def test_plugins_of_hooks_listen_and_check_as_long_as_the_runtime_is_open(site: Site) -> None:
    _hooks(
        site,
        "watch",
        """
        from qicore_core.result import success
        seen = []

        @hookimpl
        def qicore_observe(listen): listen(seen.append)

        async def check(): return success()

        @hookimpl
        def qicore_health(checks): checks["watch"] = check
        """,
    )
    _hooks(site, "broken", "1 / 0")
    _hooks(site, "late", "@hookimpl\ndef qicore_observe(listen): listen.no()")

    async def main() -> None:
        from qicore_core.events import emit

        async with _open({}) as runtime:
            import acme_watch  # type: ignore[import-not-found]  # installed above

            emit(CallEvent("cache", "get"))
            found = {one.name: one.error and one.error.code for one in await runtime.health()}
            assert found == {
                "watch": None,
                "plugin broken": "PLUGIN_LOAD_FAILED",
                "plugin late": "PLUGIN_RAISED",
            }
        emit(CallEvent("cache", "get"))
        assert len(acme_watch.seen) == 1

    asyncio.run(main())


def test_a_hook_that_is_interrupted_closes_what_was_opened(domain: Site) -> None:
    _hooks(domain, "stop", "@hookimpl\ndef qicore_observe(listen): raise KeyboardInterrupt")

    async def main() -> None:
        await _open({"probe": {"url": "slow:x"}})

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert _log()[-1] == "closed x"


# SIGTERM

PROGRAM = """
import asyncio, os, signal, sys
from qicore_core.config import ConfigData
from qicore_core.runtime import Runtime

class Component:
    async def __aenter__(self): print("entered", flush=True)
    async def __aexit__(self, *_): await asyncio.sleep(0); print("left", flush=True)

async def main():
    async with Runtime.open(ConfigData.empty()) as runtime:
        await runtime.add("one", Component())
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(30)

try:
    asyncio.run(main())
except asyncio.CancelledError:
    print("cancelled", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


def test_sigterm_leaves_the_block_in_order() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.split("\n")[:-1] == ["entered", "left", "cancelled True"], done.stderr


def test_sigterm_stays_with_whoever_handles_it() -> None:
    async def main(**options: bool) -> object:
        async with Runtime.open(ConfigData.empty(), **options):
            return signal.getsignal(signal.SIGTERM)

    def mine(*_: object) -> None: ...

    assert asyncio.run(main(handle_sigterm=False)) is signal.SIG_DFL
    assert asyncio.run(main()) is not signal.SIG_DFL
    before = signal.signal(signal.SIGTERM, mine)
    try:
        assert asyncio.run(main()) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_than_the_main_one_takes_no_signal() -> None:
    seen: list[object] = []

    async def main() -> None:
        async with Runtime.open(ConfigData.empty()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_a_loop_without_signals_opens_all_the_same() -> None:
    class Loop(asyncio.SelectorEventLoop):
        def add_signal_handler(self, *_: Any) -> None:
            raise NotImplementedError

    async def main() -> object:
        async with Runtime.open(ConfigData.empty()):
            return signal.getsignal(signal.SIGTERM)

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) is signal.SIG_DFL


def test_opening_is_a_result_for_whoever_awaits() -> None:
    async def main() -> None:
        opened = await Runtime.open(ConfigData.empty())
        assert isinstance(opened, Success)
        assert not isinstance(opened, Failure)
        await opened.value.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "said", ["x", {"plugins": "evil"}, {"plugins": ["evil"]}, {"plugins": None}]
)
def test_a_policy_that_is_no_section_is_refused_and_not_passed_over(said: object) -> None:
    async def main() -> Any:
        return await Runtime.open(ConfigData.from_object({"qicore": said}).unwrap())

    assert asyncio.run(main()).unwrap_error().code == "PLUGIN_POLICY_INVALID"


@pytest.mark.parametrize("end", [asyncio.CancelledError(), SystemExit(3)], ids=["wait", "exit"])
def test_a_check_that_ends_itself_ends_nobody_else(end: BaseException) -> None:
    runtime = Runtime.of(cache=Checked(end), http=Checked(success()))
    assert [one.is_well for one in asyncio.run(runtime.health())] == [False, True]


def test_who_asks_for_health_can_be_cancelled() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.01):
            await Runtime.of(cache=Checked(None)).health()

    with pytest.raises(TimeoutError):
        asyncio.run(main())


# What takes too long, and what swallows its cancellation


async def _stubborn(released: asyncio.Event) -> None:
    """Wait as a retry loop does that catches too much."""
    while not released.is_set():
        try:
            await released.wait()
        except asyncio.CancelledError:
            continue


def test_what_swallows_its_cancellation_is_left_on_closing_and_asked_no_longer() -> None:
    log: list[str] = []

    async def main() -> None:
        released = asyncio.Event()
        runtime = (await Runtime.open(ConfigData.empty(), close_timeout=0.05)).unwrap()

        class Stubborn(Component):
            async def health(self) -> None:
                await _stubborn(released)

        await runtime.add("good", Component(log, "good"))
        await runtime.add("bad", Stubborn(log, "bad", lambda: _stubborn(released)))
        async with asyncio.timeout(20):
            (health,) = await runtime.health(timeout=0.05)
            closed = await runtime.close()
        released.set()
        assert health.error is not None
        assert (health.error.code, closed.unwrap_error().code) == (
            "HEALTH_TIMEOUT",
            "RUNTIME_CLOSE_TIMEOUT",
        )

    asyncio.run(main())
    assert log[2:] == ["leave bad", "leave good"]


def test_what_obeys_its_cancellation_late_is_no_bug_and_what_it_raises_then_is() -> None:
    async def cleans_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("in its cleaning up")

    async def main() -> None:
        runtime = (await Runtime.open(ConfigData.empty(), close_timeout=0.05)).unwrap()
        await runtime.add("bad", Component([], "bad", cleans_up))
        await runtime.close()

    with pytest.raises(KeyError, match="cleaning up"):
        asyncio.run(main())


def test_a_cancelled_closing_cancels_waits_and_closes_the_rest() -> None:
    log: list[str] = []

    async def main() -> None:
        reached = asyncio.Event()

        async def waits() -> None:
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                log.append("cleaned up")

        runtime = (await Runtime.open(ConfigData.empty())).unwrap()
        await runtime.add("first", Component(log, "first"))
        await runtime.add("second", Component(log, "second", waits))
        closing = asyncio.ensure_future(runtime.close())
        await reached.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

    asyncio.run(main())
    assert log[2:] == ["leave second", "cleaned up", "leave first"]


@pytest.mark.parametrize("by", ["open_timeout", "deadline"])
def test_a_section_that_does_not_open_in_time_is_named_and_the_rest_is_closed(
    domain: Site, by: str
) -> None:
    async def main() -> Any:
        released = asyncio.Event()

        async def gate(_: float) -> None:
            await _stubborn(released)

        values = {"probe": {"a": {"url": "slow:a"}, "b": {"url": "slow:b", "gate": gate}}}
        options = {"open_timeout": 0.05 if by == "open_timeout" else None}
        async with asyncio.timeout(20):
            if by == "deadline":
                with Deadline.after(0.05):
                    opened = await _open(values, **options)
            else:
                opened = await _open(values, **options)
        released.set()
        return opened

    error = asyncio.run(main()).unwrap_error()
    assert (error.code, error.context["component"]) == ("RUNTIME_OPEN_TIMEOUT", "probe.b")
    assert error.message.startswith("[probe.b] (")
    assert "closed a" in _log()


def test_a_listener_of_a_plugin_hears_what_fails_on_closing(site: Site) -> None:
    code = """
        seen = []

        @hookimpl
        def qicore_observe(listen): listen(seen.append)
        """
    _hooks(site, "hears", code)

    async def fails() -> Any:
        return failure(QiError.network("CLOSE_FAILED", "no"))

    async def main() -> None:
        async with Runtime.open(ConfigData.empty()) as runtime:
            await runtime.add("bad", Component([], "bad", fails))

    asyncio.run(main())
    import acme_hears  # type: ignore[import-not-found]  # installed above

    assert [(one.operation, one.error.code) for one in acme_hears.seen] == [
        ("close", "CLOSE_FAILED")
    ]


# What a driver or a component of one's own does, and when it is hit
HIT = """
import asyncio, os, signal, sys
from qicore_core.config import ConfigData
from qicore_core.runtime import Runtime
hit = lambda: os.kill(os.getpid(), signal.SIGTERM)

class Component:
    def __init__(self, name): self.name = name
    async def __aenter__(self): return self
    async def __aexit__(self, *_):
        if self.name in sys.argv[1]: hit()
        await asyncio.sleep(0.01)
        print("left", self.name, flush=True)

async def main():
    async with Runtime.open(ConfigData.empty()) as runtime:
        await runtime.add("first", Component("first"))
        await runtime.add("second", Component("second"))
        if "block" in sys.argv[1]:
            hit()
            await asyncio.sleep(30)

try:
    asyncio.run(main())
except asyncio.CancelledError:
    print("cancelled", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


@pytest.mark.parametrize("hit", ["second", "block second"])
def test_sigterm_while_closing_closes_the_rest_too(hit: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HIT, hit], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.splitlines() == ["left first", "cancelled True"], done.stderr


def test_sigterm_while_opening_closes_what_was_opened(domain: Site) -> None:
    async def main() -> None:
        async def gate(_: float) -> None:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()

        values = {"a": {"url": "slow:a"}, "b": {"url": "slow:b", "gate": gate}}
        async with _open({"probe": values}):
            raise AssertionError("it opened")

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert _log() == ["opening a", "opening b", "opened a", "closed a"]


@pytest.mark.parametrize("section", [5, {"url": "no-such:"}], ids=["early", "late"])
def test_what_does_not_open_gives_the_signal_back(domain: Site, section: object) -> None:
    async def main() -> Any:
        opened = await _open({"probe": section})
        return opened, signal.getsignal(signal.SIGTERM)

    opened, handler = asyncio.run(main())
    assert not opened
    assert handler is signal.SIG_DFL
