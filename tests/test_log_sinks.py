"""Lines arrive whole wherever they go, and what goes wrong there never reaches the caller."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from qicore_core.log import (
    LoggerFactory,
    LogRecord,
    configure_logging,
    flush_logging,
    get_logger,
    logging_stats,
    reset_logging,
)
from qicore_core.log import output as outputs
from qicore_core.log import sink as sinks


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    reset_logging()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give a pipe whose end for writing does not block."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:
            continue


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a child; that fork meets threads is what some of them are for."""
    return subprocess.run(
        [sys.executable, "-Wignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
    )


def messages(lines: str) -> list[str]:
    return [json.loads(line)["message"] for line in lines.splitlines()]


class Gate:
    """A sink that waits until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.seen: list[str] = []

    def __call__(self, record: LogRecord) -> None:
        self.entered.set()
        assert self.opened.wait(30)
        self.seen.append(record.message)
        self.last = record


# Where lines go


def test_before_it_is_configured_lines_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    get_logger("app.stderr").info("said")
    get_logger("app.stderr").debug("not said")
    out, err = capfd.readouterr()
    assert (out, messages(err)) == ("", ["said"])


def test_stdout_can_be_asked_for_by_name_number_or_stream(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        for sink in ("stdout", 1, stream):
            configure_logging(sink=sink).unwrap()
            get_logger("app.stdout").info("said")
    out, err = capfd.readouterr()
    assert (messages(out), err) == (["said"] * 3, "")


def test_a_stream_without_descriptor_is_written_and_flushed() -> None:
    class Bare:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

    bare, whole = Bare(), StringIO()
    for stream in (bare, whole):
        LoggerFactory.create("app", sink=stream).unwrap().info("é")
    assert messages(bare.text) == messages(whole.getvalue()) == ["é"]


def test_a_file_is_appended_to_and_closed_with_its_last_logger(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for sink in (path, str(path)):
        configure_logging(sink=sink).unwrap()
        get_logger("app.file").info("said")
    before = len(os.listdir("/dev/fd"))
    reset_logging()
    assert len(os.listdir("/dev/fd")) == before - 1
    assert messages(path.read_text()) == ["said", "said"]
    assert path.stat().st_mode & 0o007 == 0


def test_lines_of_threads_and_processes_do_not_mix(tmp_path: Path) -> None:
    program = f"""
import threading
from qicore_core.log import configure_logging, get_logger
configure_logging(sink={str(tmp_path / "log")!r}).unwrap()
def say():
    for number in range(100):
        get_logger("app").info("said", number=number, filler="x" * 3_000)
threads = [threading.Thread(target=say) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    assert messages((tmp_path / "log").read_text()) == ["said"] * 600


# Pipes that do not take what they are given


def test_a_line_longer_than_a_pipe_takes_arrives_whole(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = LoggerFactory.create("app", sink=writer).unwrap()
    read: list[bytes] = []

    def drain() -> None:
        while not read or not read[-1].endswith(b'"end"}\n'):
            read.append(os.read(reader, 10_000))

    thread = threading.Thread(target=drain)
    thread.start()
    for number in range(4):
        log.info("said", filler=["x" * 9_000] * 20, number=number)
    log.info("said", last="end")
    thread.join(30)
    assert messages(b"".join(read).decode()) == ["said"] * 5


def test_a_pipe_that_is_never_read_costs_one_wait_and_recovers(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = pipe
    now, pauses = [0.0], []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += 0.25

    monkeypatch.setattr(sinks, "monotonic", lambda: now[0])
    monkeypatch.setattr(sinks, "sleep", pause)
    configure_logging(sink=writer).unwrap()
    log = get_logger("app.full")
    log.info("torn", filler=["x" * 9_000] * 10)  # more than the pipe holds
    assert len(pauses) == 4
    log.info("lost")
    log.info("lost too")
    assert (len(pauses), logging_stats()["failed"]) == (4, 3)
    read = os.read(reader, 1_000_000)
    log.info("after")  # the rest of the torn line comes first
    read += os.read(reader, 1_000_000)
    assert messages(read.decode()) == ["torn", "after"]
    assert capfd.readouterr().err.count("LOG_WRITE_FAILED") == 1


def test_a_full_pipe_before_a_line_loses_that_line_alone(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    monkeypatch.setattr(sinks, "_PATIENCE", 0.0)
    while True:
        try:
            os.write(writer, b"#" * 4_096)
        except BlockingIOError:
            break
    log = LoggerFactory.create("app", sink=writer).unwrap()
    log.info("lost")
    log.info("lost")
    os.read(reader, 1_000_000)
    log.info("after")
    log.info("and after")
    assert messages(os.read(reader, 1_000_000).decode()) == ["after", "and after"]


def test_a_lock_that_nobody_gives_back_does_not_stop_the_program(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "_PATIENCE", 0.01)
    descriptor = sinks.Descriptor(pipe[1])
    descriptor._lock.acquire()  # as a child of fork may find it
    descriptor._late = b""
    with pytest.raises(BlockingIOError, match="another thread"):
        descriptor.write(b"line\n")


@pytest.mark.parametrize("closed", [0, 1], ids=["broken pipe", "closed descriptor"])
def test_a_sink_that_is_gone_is_counted_and_said_once(
    pipe: tuple[int, int], closed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(sink=pipe[1]).unwrap()
    os.close(pipe[closed])
    for _ in range(3):
        get_logger("app.gone").info("said")
    assert logging_stats()["failed"] == 3
    said = capfd.readouterr().err
    assert said.startswith("qicore: LOG_WRITE_FAILED: ")
    assert said.count("\n") == 1


def test_a_count_that_is_locked_for_ever_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outputs, "_PATIENCE", 0.01)
    configure_logging(sink=boom).unwrap()
    output = get_logger("app.locked")._output
    thread = threading.Thread(target=output._lock.acquire)  # as a child of fork may find it
    thread.start()
    thread.join()
    get_logger("app.locked").info("said")
    assert logging_stats()["failed"] == 1


def test_stderr_that_is_gone_fails_nobody() -> None:
    kept = os.dup(2)
    os.close(2)
    try:
        get_logger("app.gone").info("said")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert logging_stats()["failed"] == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("background", [False, True])
def test_a_stdout_that_is_full_or_closed_fails_nobody(background: bool) -> None:
    done = run(f"""
import os, sys
from qicore_core.log import configure_logging, flush_logging, get_logger, logging_stats
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
configure_logging(sink="stdout", background={background}).unwrap()
get_logger("app").info("full")
flush_logging()
os.close(1)
get_logger("app").info("closed")
flush_logging()
sys.stderr.write(f"failed: {{logging_stats()['failed']}}")
os._exit(0)
""")
    assert (done.returncode, done.stderr.count("LOG_WRITE_FAILED")) == (0, 1)
    assert done.stderr.endswith("failed: 2")


# Whoever logs, whenever


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.parametrize(
    "options", ["", "background=1", "format='text'", "format='text', background=True"]
)
@pytest.mark.parametrize("sink", ["/dev/null", "/dev/full"])
def test_a_handler_of_signals_may_log_at_any_moment(options: str, sink: str) -> None:
    done = run(f"""
import os, signal
from qicore_core.log import configure_logging, flush_logging, get_logger, logging_stats
configure_logging(sink={sink!r}, {options}).unwrap()
log, calls = get_logger("app"), 0
def handle(*_):
    global calls
    calls += 1
    log.warn("from the handler", calls=calls)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
said = 0
while calls < 300:
    log.info("said", number=said, tags=[1])
    said += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert flush_logging(30.0) == 0
stats = logging_stats()
lost = stats["failed"] + stats["dropped"]
# more than was said are lost, as what tells of those dropped is lost itself
assert lost >= said + calls if {sink!r} == "/dev/full" else stats["failed"] == 0, stats
""")
    assert (done.returncode, done.stderr.count("Error:")) == (0, sink.count("full")), done.stderr


@pytest.mark.parametrize("options", ["", "background=True", "format='text'"])
def test_what_is_said_while_the_program_ends_is_written(options: str) -> None:
    done = run(f"""
import builtins, sys
from qicore_core.log import configure_logging, get_logger
configure_logging(sink="stdout", {options}).unwrap()
class Dying:
    def __del__(self, log=get_logger("app").with_context(bound=1)):
        log.error("it ends", ValueError("x"), kind=Dying)
held = Dying()
circle = Dying()
circle.itself = circle
builtins.held = Dying()
sys.modules["held"] = Dying()
""")
    assert (done.stdout.count("it ends"), done.returncode, done.stderr) == (4, 0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("options", ["", "background=True"])
def test_a_child_of_fork_logs_whatever_other_threads_did(options: str) -> None:
    done = run(f"""
import os, signal, threading
from qicore_core.log import configure_logging, flush_logging, get_logger
configure_logging(sink="/dev/full", {options}).unwrap()
log = get_logger("app")
def talk():
    while True:
        log.info("said")
threading.Thread(target=talk, daemon=True).start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        log.info("child")
        os._exit(flush_logging())
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
""")
    assert done.returncode == 0, done.stderr


# Foreign code


def boom(*_: object) -> Any:
    raise RuntimeError("no\nway")


@pytest.mark.parametrize(
    "options",
    [
        {"sink": boom},
        {"sink": StringIO(), "format": boom},
        {"sink": StringIO(), "clock": boom, "format": "json"},
        {"sink": [], "clock": boom},
        {"sink": boom, "background": True},
    ],
    ids=["sink", "format", "clock", "clock of records", "background"],
)
def test_what_foreign_code_raises_is_counted(
    options: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(**options).unwrap()
    get_logger("app.boom").info("said")
    get_logger("app.boom").info("said")
    flush_logging()
    assert logging_stats()["failed"] == 2
    assert "RuntimeError: 'no\\nway'" in capfd.readouterr().err


@pytest.mark.parametrize("background", [False, True])
def test_a_sink_that_logs_is_not_called_for_its_own_records(background: bool) -> None:
    seen: list[str] = []

    def sink(record: LogRecord) -> None:
        seen.append(record.message)
        get_logger("app.sink").info("from the sink")

    configure_logging(sink=sink, background=background).unwrap()
    get_logger("app.sink").info("said")
    assert flush_logging() == 0
    assert (seen, logging_stats()["failed"]) == (["said"], 1)


def test_a_sink_or_format_that_ends_the_program_does_not(capfd: pytest.CaptureFixture[str]) -> None:
    def leave(_: object) -> str:
        raise SystemExit(3)

    for options in ({"sink": leave}, {"format": leave, "sink": []}):
        configure_logging(**options).unwrap()
        get_logger("app").info("one")
        get_logger("app").info("two")
        assert logging_stats()["failed"] == 2
    assert capfd.readouterr().err.count("LOG_WRITE_FAILED: SystemExit: '3'") == 2


class Cancelled(BaseException):
    """As trio's."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError, Cancelled])
def test_ctrl_c_and_cancellation_pass_a_sink(kind: type[BaseException]) -> None:
    def sink(_: LogRecord) -> None:
        raise kind

    configure_logging(sink=sink).unwrap()
    with pytest.raises(kind):
        get_logger("app").info("one")
    assert logging_stats()["failed"] == 0


# In the background


def test_the_background_writes_all_in_order() -> None:
    seen: list[LogRecord] = []
    configure_logging(sink=seen, background=True).unwrap()
    log = get_logger("app.background")
    for number in range(1_000):
        log.info("said", number=number)
    assert flush_logging() == 0
    assert [record.fields["number"] for record in seen] == list(range(1_000))
    assert logging_stats() == {"failed": 0, "dropped": 0, "waiting": 0}


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyboardInterrupt, Cancelled])
def test_nothing_ends_the_background(
    kind: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def sink(record: LogRecord) -> None:
        if record.message == "bad":
            raise kind
        seen.append(record.message)

    configure_logging(sink=sink, background=True).unwrap()
    log = get_logger("app")
    for message in ("one", "bad", "two", "bad", "three"):
        log.info(message)
    assert flush_logging(30.0) == 0
    assert seen == ["one", "two", "three"]
    assert logging_stats()["failed"] == 2
    assert capfd.readouterr().err.count(kind.__name__) == 1


def test_what_does_not_fit_is_dropped_counted_and_told() -> None:
    gate = Gate()
    configure_logging(sink=gate, background=2).unwrap()
    log = get_logger("app.flood")
    log.info("1")
    assert gate.entered.wait(30)  # the thread holds the first one
    for number in range(2, 8):
        log.info(str(number))
    assert logging_stats() == {"failed": 0, "dropped": 4, "waiting": 2}
    assert flush_logging(timeout=0.0) > 0
    gate.opened.set()
    assert flush_logging() == 0
    assert gate.seen == ["1", "records were dropped", "2", "3"]
    assert logging_stats()["dropped"] == 4


def test_a_failure_to_tell_what_was_dropped_is_counted() -> None:
    gate = Gate()

    def sink(record: LogRecord) -> None:
        gate(record)
        if record.logger == "qicore.log":
            raise RuntimeError

    configure_logging(sink=sink, background=1).unwrap()
    log = get_logger("app.flood")
    log.info("1")
    assert gate.entered.wait(30)
    log.info("2")
    log.info("3")
    gate.opened.set()
    assert flush_logging() == 0
    assert logging_stats()["failed"] == 1


def test_drops_by_many_threads_are_all_counted() -> None:
    gate = Gate()
    configure_logging(sink=gate, background=1).unwrap()
    log = get_logger("app.flood")
    log.info("first")
    assert gate.entered.wait(30)
    log.info("waits")

    def flood() -> None:
        for _ in range(500):
            log.info("dropped")

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logging_stats()["dropped"] == 2_000
    gate.opened.set()


def test_another_configuration_writes_first_what_waits() -> None:
    seen: list[LogRecord] = []
    log = get_logger("app.switch")
    configure_logging(sink=seen, background=True).unwrap()
    for _ in range(100):
        log.info("said")
    reset_logging()
    assert len(seen) == 100


def test_a_file_that_is_replaced_is_written_and_closed_at_once(tmp_path: Path) -> None:
    log = get_logger("app")
    before = len(os.listdir("/dev/fd"))
    gc.disable()  # nothing may be left to it
    try:
        for path in (tmp_path / "1.log", tmp_path / "2.log", tmp_path / "3.log"):
            configure_logging(sink=path, background=True).unwrap()
            log.info("one")
            assert len(os.listdir("/dev/fd")) == before + 1
        reset_logging()
        assert len(os.listdir("/dev/fd")) == before
        assert messages((tmp_path / "3.log").read_text()) == ["one"]
    finally:
        gc.enable()


def test_a_closed_background_writes_at_once() -> None:
    from qicore_core.log.background import Background

    seen: list[object] = []
    background = Background(seen.append, 10, print)
    background.put(1)
    background.close(5.0)
    background.put(2)
    assert (seen, background.flush(1.0)) == ([1, 2], 0)


def test_a_background_closed_while_it_writes_writes_at_once_after() -> None:
    from qicore_core.log.background import Background

    seen: list[object] = []
    entered = threading.Event()

    def write(item: object) -> None:
        entered.set()
        if item == 1:
            while background.waiting == 0:  # until it is being closed
                time.sleep(0)
        seen.append(item)

    background = Background(write, 10, print)
    background.put(1)
    assert entered.wait(30)
    background.close(30.0)
    background.put(2)
    assert seen == [1, 2]


def test_a_sink_that_hangs_does_not_hang_the_exit() -> None:
    from qicore_core.log.background import Background

    entered, opened = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        entered.set()
        assert opened.wait(30)

    background = Background(hang, 10, print)
    background.put(1)
    assert entered.wait(30)
    background.put(2)
    background.close(0.0)
    assert background.waiting == 2  # the mark stands for the one that hangs
    opened.set()


def test_what_waits_is_written_at_exit() -> None:
    done = run(
        "from qicore_core.log import configure_logging, get_logger\n"
        "configure_logging(sink='stdout', background=True).unwrap()\n"
        "for number in range(1_000): get_logger('app').info('said')"
    )
    assert (len(messages(done.stdout)), done.stderr) == (1_000, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_child_of_fork_logs_by_a_thread_of_its_own() -> None:
    done = run(
        "import os\n"
        "from qicore_core.log import configure_logging, flush_logging, get_logger\n"
        "configure_logging(sink='stdout', background=True).unwrap()\n"
        "log = get_logger('app')\n"
        "log.info('before')\n"
        "assert flush_logging() == 0\n"
        "if os.fork() == 0:\n"
        "    log.info('child')\n"
        "    os._exit(flush_logging())\n"
        "assert os.wait()[1] == 0\n"
        "log.info('parent')\n"
    )
    assert (messages(done.stdout), done.stderr) == (["before", "child", "parent"], "")


def test_what_waits_in_the_parent_is_not_written_by_the_child() -> None:
    done = run(
        "import os, threading\n"
        "from qicore_core.log import configure_logging, flush_logging, get_logger\n"
        "entered, opened = threading.Event(), threading.Event()\n"
        "def sink(record):\n"
        "    entered.set(); opened.wait(30); os.write(1, record.message.encode() + b' ')\n"
        "configure_logging(sink=sink, background=1).unwrap()\n"
        "log = get_logger('app')\n"
        "log.info('held'); entered.wait(30); log.info('waits'); log.info('dropped')\n"
        "if os.fork() == 0:\n"
        "    opened.set(); log.info('child'); os._exit(flush_logging())\n"
        "assert os.wait()[1] == 0\n"
        "opened.set()\n"
    )
    assert done.stdout == "child held records were dropped waits "
    assert done.stderr == ""


def test_a_background_that_is_closed_ends_its_thread_and_is_held_by_nobody() -> None:
    import weakref

    from qicore_core.log.background import Background

    class Writer:
        def write(self, _: object) -> None:
            pass

    writer = Writer()
    background = Background(writer.write, 1, print)
    background.put(1)
    background.close(30.0)
    thread = background._thread
    assert thread is not None
    thread.join(30.0)
    gone = weakref.ref(writer)
    del writer, background
    gc.collect()
    assert gone() is None


def test_another_process_begins_with_an_empty_queue_and_a_thread_of_its_own() -> None:
    from qicore_core.log.background import Background

    seen: list[object] = []
    background = Background(seen.append, 10, print)
    background._queue.put("the parent's")
    background._process = 0  # as a child of fork finds it
    assert background.flush(30.0) == 0
    background._queue.put("the parent's")
    background._process = 0
    background.put("the child's")
    background.close(30.0)
    assert seen == ["the child's"]


# What has no room


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_disk_that_is_full_and_gets_room_repeats_nothing(tmp_path: Path) -> None:
    done = run(f"""
import resource, signal
from qicore_core.log import LoggerFactory

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = {str(tmp_path / "log")!r}
log = LoggerFactory.create("app", sink=path, format=lambda record: record.message).unwrap()
for size, letter in (25, "a"), (25, "b"), (48, "c"), (1000, "d"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    log.info(letter * 20)
""")
    assert done.stderr.count("LOG_WRITE_FAILED") == 1
    assert (tmp_path / "log").read_text().split() == [letter * 20 for letter in "abcd"]


def test_without_a_thread_the_background_writes_at_once() -> None:
    out = StringIO()
    configure_logging(format="json", sink=out, background=True).unwrap()
    log = get_logger("app.threadless")
    threading.stack_size(1 << 46)  # more than there is: no thread can start
    try:
        log.info("first")
        log.info("second")
    finally:
        threading.stack_size(0)
    log.info("third")
    assert flush_logging(10.0) == 0
    assert logging_stats() == {"failed": 0, "dropped": 0, "waiting": 0}
    assert messages(out.getvalue()) == ["first", "second", "third"]
