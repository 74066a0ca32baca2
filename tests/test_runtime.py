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
from qicore_core.result import Failure, Success, failure, success
from qicore_core.runtime import Runtime
from qicore_core.secret import Secret
from qicore_core.testing import recorded

if TYPE_CHECKING:
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
        async with _open(values, plugins=PluginPolicy()) as runtime:
            main, audit = runtime.get(PROBE, "main"), runtime.get(PROBE, "audit")
            third = runtime.get(PROBE, "third")
            assert (main.settings, audit.name, third.name) == ({"size": 5}, "still", "default")
            with pytest.raises(
                LookupError, match=r"has no probe; it has probe\.audit, probe\.main"
            ):
                runtime.get(PROBE)
        refused = await _open(values, plugins=plugins)
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
        plugins = PluginPolicy(allow=["acme-slow"])
        async with _open({"probe": {"url": "slow:x"}}, plugins=plugins) as runtime:
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
