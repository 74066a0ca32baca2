"""The cache's own: what stays, what goes, what others share, and what a broken file is."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qicore_cache import MISSING, Cache, Entry, open_cache
from qicore_core import Opening, Parts, Result, success
from qicore_core.plugins import PluginPolicy, choose
from qicore_core.testing import FakeClock, assert_failure, assert_success
from qicore_sqlite.cache.settings import SqliteCacheSettings
from qicore_sqlite.cache.store import SqliteStore

Body = Callable[[Cache[Any]], Awaitable[object]]


def opening(path: Path, clock: FakeClock | None = None, **settings: Any) -> Opening[Cache[Any]]:
    parts = Parts() if clock is None else Parts(clock=clock)
    return open_cache(f"sqlite:///{path}", namespace="shop", parts=parts, **settings)


def on(path: Path, body: Body, clock: FakeClock | None = None, **settings: Any) -> None:
    async def main() -> None:
        async with opening(path, clock, **settings) as cache:
            await body(cache)

    asyncio.run(main())
    assert not threads()


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("qicore-sqlite")]


def end_threads() -> None:
    """Wait for threads that were told to end, and that nobody else waits for."""
    for thread in threading.enumerate():
        if thread.name.startswith("qicore-sqlite"):
            thread.join(5.0)
    assert not threads()


def asked(path: Path, sql: str) -> Any:
    """Ask the file, past the cache; it is open elsewhere, or not."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def has_right_sums(path: Path) -> bool:
    counted = "select count(*), coalesce(sum(size), 0) from qicore_cache_entries"
    return bool(asked(path, counted) == asked(path, "select * from qicore_cache_sums"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


# What stays


def test_what_is_kept_stays_when_the_program_ends(path: Path) -> None:
    async def writes(cache: Cache[Any]) -> None:
        await cache.set("k", {"a": [1, None]}, ttl=60.0, tags=["t"])
        await cache.set("endless", 1)

    async def reads(cache: Cache[Any]) -> None:
        assert await cache.get("k") == success({"a": [1, None]})
        assert 50.0 < assert_success(await cache.ttl_of("k")) <= 60.0  # type: ignore[operator]  # it is there
        assert await cache.ttl_of("endless") == success(None)
        assert await cache.remove_tag("t") == success(None)
        assert await cache.get("k", MISSING) == success(MISSING)

    on(path, writes)
    on(path, reads)


def test_other_tables_of_the_file_are_left_alone(path: Path) -> None:
    asked(path, "create table mine (a)")
    asked(path, "insert into mine values ('kept')")
    before = asked(path, "select * from sqlite_master")

    async def body(cache: Cache[Any]) -> None:
        for number in range(50):
            await cache.set(f"k{number}", number)
        await cache.clear()
        assert has_right_sums(path)

    on(path, body, max_entries=10)
    assert asked(path, "select * from mine") == [("kept",)]
    assert asked(path, "select * from sqlite_master where name not like '%qicore%'") == before


@pytest.mark.parametrize(
    "sql",
    [
        "create table qicore_cache_entries (a)",
        "create view qicore_cache_sums as select 1 as entries, 2 as bytes",
        "create table qicore_cache_locks (ns, key, token, ends)",
    ],
)
def test_a_table_of_somebody_else_is_refused(path: Path, sql: str) -> None:
    asked(path, sql)
    before = asked(path, "select name, sql from sqlite_master")
    error = assert_failure(asyncio.run(_await(opening(path))), code="CACHE_CONNECTION_FAILED")
    assert "qicore_cache_" in error.message
    assert error.category == "CONFIGURATION"
    assert asked(path, "select name, sql from sqlite_master") == before


async def _await(thing: Opening[Cache[Any]]) -> Result[Cache[Any]]:
    return await thing


# Bounds


def test_entries_are_bounded_at_each_step(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        draw = random.Random(5)
        await cache.set("k0", 1)
        for _ in range(400):
            match draw.randrange(5):
                case 0:
                    keys = [f"k{draw.randrange(40)}" for _ in range(20)]
                    await cache.set_many({key: "x" * draw.randrange(99) for key in keys})
                case 1:
                    await cache.remove(f"k{draw.randrange(40)}")
                case 2:
                    await cache.increment(f"n{draw.randrange(40)}")
                case _:
                    await cache.get(f"k{draw.randrange(40)}")
            assert assert_success(await cache.size()) <= 15
            assert has_right_sums(path)

    on(path, body, max_entries=15)


def test_a_batch_larger_than_the_cache_keeps_its_end(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        assert await cache.set_many({f"k{number}": number for number in range(500)})
        assert await cache.size() == success(10)
        assert await cache.get("k499") == success(499)

    on(path, body, max_entries=10)


def test_bytes_are_bounded_and_so_is_the_file(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        draw = random.Random(6)
        for number in range(300):
            await cache.set(f"k{number % 200}", b"x" * draw.randrange(1, 40_000))
            [(_, size_bytes)] = asked(path, "select * from qicore_cache_sums")
            assert size_bytes <= 1_000_000
        assert has_right_sums(path)

    on(path, body, max_bytes=1_000_000)
    assert 500_000 < path.stat().st_size < 1_500_000


def test_what_is_larger_than_the_cache_is_not_kept(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set("small", b"x")
        await cache.set("grows", b"x")
        assert await cache.set("huge", b"x" * 20_000) == success(None)
        assert await cache.set("grows", b"x" * 20_000) == success(None)
        assert await cache.get_many(["small", "grows", "huge"]) == success({"small": b"x"})
        assert has_right_sums(path)

    on(path, body, max_bytes=10_000)


def test_what_grows_in_place_pushes_others_out(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set_many({f"k{number}": b"x" * 1_000 for number in range(8)})
        await cache.set("k5", b"x" * 8_000)
        assert await cache.get("k5") == success(b"x" * 8_000)
        [(_, size_bytes)] = asked(path, "select * from qicore_cache_sums")
        assert size_bytes <= 16_000
        assert 1 <= assert_success(await cache.size()) < 8

    on(path, body, max_bytes=16_000)


def test_what_has_expired_goes_first(path: Path) -> None:
    clock = FakeClock()

    async def body(cache: Cache[Any]) -> None:
        await cache.set_many({f"old{number}": 1 for number in range(10)})
        await cache.set_many({f"brief{number}": 1 for number in range(10)}, ttl=5.0)
        clock.advance(6.0)
        await cache.set_many({f"new{number}": 1 for number in range(10)})
        assert len(assert_success(await cache.get_many([f"old{n}" for n in range(10)]))) == 10
        assert await cache.size() == success(20)

    on(path, body, clock, max_entries=20)


def test_what_is_asked_for_survives_what_is_not(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set_many({f"hot{number}": number for number in range(20)})
        for number in range(2_000):
            await cache.get(f"hot{number % 20}")
            await cache.set(f"once{number}", 1)
        hot = assert_success(await cache.get_many([f"hot{number}" for number in range(20)]))
        assert len(hot) == 20
        assert await cache.get("once1999") == success(1)

    on(path, body, max_entries=100)


def test_where_everything_was_asked_for_some_go_all_the_same(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        keys = [f"k{number}" for number in range(3_000)]
        await cache.set_many(dict.fromkeys(keys, 1))
        await cache.get_many(keys)
        await cache.set("one more", 1)
        there = assert_success(await cache.get_many([*keys, "one more"]))
        assert "one more" in there
        assert 2_900 < len(there) <= 3_000
        assert {"k0", "k2999"} <= there.keys(), "the hand looks at a thousand, not at all"

    on(path, body, max_entries=3_000)


def test_sums_that_somebody_spoilt_are_made_right(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set_many({f"k{number}": number for number in range(10)})
        asked(path, "delete from qicore_cache_entries")
        assert await cache.set("k", 1)
        assert has_right_sums(path)
        asked(path, "delete from qicore_cache_sums")
        await cache.set_many({f"k{number}": number for number in range(20)})
        assert await cache.size() == success(10)
        assert has_right_sums(path)

    on(path, body, max_entries=10)


# Others


CHILD = """
import asyncio, os, sys
from qicore_cache import open_cache
import qicore_sqlite.cache.plugin

async def compute():
    os.write(log, b"ran\\n")  # appended, by whoever does it
    await asyncio.sleep(0.2)
    return 7

async def main():
    async with open_cache("sqlite:///" + sys.argv[1], namespace="shop") as cache:
        {body}

log = os.open(sys.argv[1] + ".log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""
ONCE = """answers = await asyncio.gather(*[cache.get_or_set("k", compute) for _ in range(50)])
        print([answer.value for answer in answers] == [7] * 50)"""
COUNTS = """answers = await asyncio.gather(*[cache.increment("n") for _ in range(100)])
        print(all(answers))"""
FILLS = """for number in range(300):
            (await cache.set(f"{os.getpid()}:{number}", number)).unwrap()
        print(True)"""


def side_by_side(path: Path, body: str, processes: int, settings: str = "") -> None:
    """Run a body in processes that begin as one, on a file that none of them has made yet."""
    program = CHILD.replace("{body}", body)
    command = [sys.executable, "-c", program, f"{path}{settings}"]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        assert child.communicate(timeout=60)[0] == "True\n"


def test_fifty_misses_in_each_of_two_processes_are_one_computation(path: Path) -> None:
    side_by_side(path, ONCE, 2)
    assert path.with_name("cache.db.log").read_text() == "ran\n"
    assert asked(path, "select count(*) from qicore_cache_locks") == [(0,)]


def test_no_step_of_processes_that_begin_at_once_is_lost(path: Path) -> None:
    side_by_side(path, COUNTS, 4)
    assert asked(path, "select data from qicore_cache_entries") == [(b"400",)]


def test_processes_keep_the_bounds_together(path: Path) -> None:
    side_by_side(path, FILLS, 3, "?max_entries=100")
    [(count,)] = asked(path, "select count(*) from qicore_cache_entries")
    assert 95 <= count <= 100
    assert has_right_sums(path)


def test_two_event_loops_share_a_cache(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        gone, go = threading.Event(), threading.Event()
        answers: list[Any] = []

        async def there() -> None:
            sets = [cache.set(f"there{number}", number) for number in range(50)]
            answers.extend(await asyncio.gather(*sets))
            gone.set()
            await asyncio.to_thread(go.wait, 20.0)

        thread = threading.Thread(target=lambda: asyncio.run(there()))
        thread.start()
        for number in range(50):
            assert await cache.set("here", number) == success(None)
        await asyncio.to_thread(gone.wait, 20.0)
        assert answers == [success(None)] * 50
        assert await cache.get_many(["here", "there49"]) == success({"here": 49, "there49": 49})
        assert len(threads()) == 4
        await cache.close()  # in both loops, while both run
        assert threads() == []
        go.set()
        await asyncio.to_thread(thread.join)

    on(path, body)


def test_a_cache_may_be_used_in_one_event_loop_after_another(path: Path) -> None:
    cache = assert_success(asyncio.run(_await(opening(path))))
    for number in range(3):
        assert asyncio.run(_set(cache, number)) == success(number)
    asyncio.run(cache.close())
    gc.collect()
    end_threads()


async def _set(cache: Cache[Any], value: int) -> Result[Any]:
    await cache.set("k", value)
    return await cache.get("k")


def test_in_memory_a_cache_belongs_to_its_event_loop() -> None:
    async def main() -> None:
        async with open_cache("sqlite://") as cache:
            assert await cache.set("k", 1)
            with pytest.raises(RuntimeError, match="belongs to the event loop that opened it"):
                await asyncio.to_thread(lambda: asyncio.run(_set(cache, 1)))

    asyncio.run(main())


FORK = """
import asyncio, os, sys
from qicore_cache import open_cache

async def opened():
    return (await open_cache("sqlite:///" + sys.argv[1])).unwrap()

with asyncio.Runner() as runner:
    cache = runner.run(opened())
    if os.fork() == 0:
        async def ask():
            return await cache.get("k")
        for run in (runner.run, asyncio.Runner().run):
            try:
                run(ask())
            except RuntimeError as error:
                print(error, flush=True)
        os._exit(0)
    os.wait()
    print(runner.run(cache.set("k", 1)))
    runner.run(cache.close())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_is_told(path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    *told, answered = done.stdout.splitlines()
    assert len(told) == 2
    assert all("opened before a fork" in line for line in told)
    assert (done.returncode, answered, done.stderr) == (0, "Success(None)", "")


def test_a_lock_that_has_ended_cannot_be_given_back(path: Path) -> None:
    clock = FakeClock()

    async def body(cache: Cache[Any]) -> None:
        store: Any = cache._access.store
        assert await store.lock("ns", "k", "a", 5.0) == success(1)
        clock.advance(6.0)
        assert await store.unlock("ns", "k", "a") == success(0)
        assert await store.lock("ns", "other", "a", 5.0) == success(1)
        assert asked(path, "select key from qicore_cache_locks") == [("other",)]

    on(path, body, clock)


# Faults


def is_answered(cache: Cache[Any]) -> Awaitable[bool]:
    async def ask() -> bool:
        return await cache.get_or_set("other", lambda: 7) == success(7)

    return ask()


def test_a_lock_of_another_process_is_waited_for_and_then_said(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set("k", 1)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        for answer in (
            await cache.set("k", 2),
            await cache.remove("k"),
            await cache.increment("n"),
            await cache.clear(),
        ):
            error = assert_failure(answer, code="CACHE_TIMEOUT", category="TIMEOUT")
            assert "busy_timeout" in str(error.hint)
            assert error.retryable
        assert await cache.get("k") == success(1)  # who reads never waits for who writes
        assert await is_answered(cache)
        other.execute("rollback")
        assert await cache.set("k", 2) == success(None)
        other.close()

    on(path, body, busy_timeout=0.05)


def test_a_full_disk_is_said(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set("k", 1)
        [lanes] = cache._access.store._lanes.values()  # type: ignore[attr-defined]  # it is ours
        assert await lanes.write(
            lambda connection: success(connection.execute("pragma max_page_count=1").fetchall()),
            is_alone=True,
        )
        answer = await cache.set("large", b"x" * 100_000)
        error = assert_failure(answer, code="CACHE_WRITE_FAILED", category="EXHAUSTED")
        assert error.retryable
        answers = await asyncio.gather(cache.set("k", 2), cache.set("larger", b"x" * 100_000))
        assert answers[0] == success(None), "one that does not fit takes no other along"
        assert_failure(answers[1], code="CACHE_WRITE_FAILED", category="EXHAUSTED")
        assert await cache.get_or_set("other", lambda: b"x" * 100_000) == success(b"x" * 100_000)
        assert await cache.get("k") == success(2)

    on(path, body)


def test_a_disk_that_takes_no_more_is_said_until_there_is_room(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _NO_ROOM, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


# In a process of its own: the limit is for every file that it writes.
_NO_ROOM = """
import asyncio, resource, sys
from qicore_cache import open_cache
from qicore_core import success
from qicore_core.testing import assert_failure
from qicore_sql import open_database

LARGE = "x" * 200_000

def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main(folder):
    cache, db = open_cache(f"sqlite:///{folder}/c.db"), open_database(f"sqlite:///{folder}/d.db")
    async with cache as cache, db as db:
        await cache.set("k", 1)
        await db.execute("create table t (x)")
        room(65_536)
        for _ in range(2):
            assert_failure(await cache.set("l", LARGE), code="CACHE_WRITE_FAILED")
            full = await db.execute("insert into t values ($1)", LARGE)
            assert_failure(full, code="DB_QUERY_FAILED")
        assert await cache.get("k") == success(1)
        assert await cache.get_or_set("l", lambda: LARGE) == success(LARGE)
        assert await db.query_value("select count(*) from t") == success(0)
        room(resource.RLIM_INFINITY)
        assert await cache.set("l", LARGE) == success(None)
        assert await cache.get("l") == success(LARGE)
        assert await db.execute("insert into t values ($1)", LARGE) == success(1)

asyncio.run(main(sys.argv[1]))
"""


def test_a_damaged_file_is_no_miss_and_no_bug(path: Path) -> None:
    async def fills(cache: Cache[Any]) -> None:
        await cache.set_many({f"k{number}": b"x" * 500 for number in range(500)})

    on(path, fills)
    [(page,)] = asked(path, "pragma page_size")
    find_root = "select rootpage from sqlite_master where name = 'qicore_cache_entries'"
    [(root,)] = asked(path, find_root)
    data = bytearray(path.read_bytes())
    data[(root - 1) * page : root * page] = b"\xff" * page
    path.write_bytes(data)

    async def body(cache: Cache[Any]) -> None:
        for answer, code in (
            (await cache.get("k1"), "CACHE_READ_FAILED"),
            (await cache.set("k1", 1), "CACHE_WRITE_FAILED"),
            (await cache.clear(), "CACHE_WRITE_FAILED"),
        ):
            error = assert_failure(answer, code=code, category="UNAVAILABLE")
            assert not error.retryable
            assert "remove the file" in str(error.hint)
            assert str(error.context["sqlite_error"]).startswith("SQLITE_CORRUPT")
        assert await cache.get_or_set("k1", lambda: 7) == success(7)

    on(path, body)


@pytest.mark.parametrize(
    "change",
    [
        "qicore_cache_entries set data = 'text'",
        "qicore_cache_entries set data = 7",
        "qicore_cache_entries set ends = 'text'",
        "qicore_cache_entries set ends = x'00ff'",
        "qicore_cache_entries set size = 'text'",
        "qicore_cache_sums set entries = 'text', bytes = x'00ff'",
    ],
)
def test_values_of_other_types_in_our_tables_are_no_bug(path: Path, change: str) -> None:
    async def fills(cache: Cache[Any]) -> None:
        await cache.set_many({"n": 5, "k": "v"}, ttl=60.0)

    async def body(cache: Cache[Any]) -> None:
        await cache.get("k")
        await cache.ttl_of("k")
        await cache.increment("n")
        assert_success(await cache.get_or_set("k", lambda: "new"))
        assert await cache.set_many({"k": "later", "other": 1})
        assert await cache.get("k") == success("later")
        assert await cache.clear()

    on(path, fills)
    asked(path, f"update {change}")
    on(path, body)


def test_tables_that_are_dropped_meanwhile_are_said(path: Path) -> None:
    async def body(cache: Cache[Any]) -> None:
        await cache.set("k", 1)
        asked(path, "drop table qicore_cache_entries")
        for answer, code in (
            (await cache.get("k"), "CACHE_READ_FAILED"),
            (await cache.set("k", 1), "CACHE_WRITE_FAILED"),
        ):
            error = assert_failure(answer, code=code, category="UNAVAILABLE")
            assert "open the cache again" in str(error.hint)
            assert "qicore_cache_entries" not in error.to_string(), "no word of a statement"
        assert await is_answered(cache)

    async def anew(cache: Cache[Any]) -> None:
        assert await cache.set("k", 2)
        assert await cache.get("k") == success(2)

    on(path, body)
    on(path, anew)


def test_what_cannot_be_opened_says_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, and long enough to be none\n" * 50)
    for name, category in (
        ("no/such/folder/a.db", "CONFIGURATION"),
        ("text.db", "INTERNAL"),
        (".", "CONFIGURATION"),
    ):
        opened = asyncio.run(_await(opening(tmp_path / name)))
        error = assert_failure(opened, code="CACHE_CONNECTION_FAILED", category=category)
        assert str(tmp_path / name) in error.message
        assert error.source == "cache"
    end_threads()


READ_ONLY = """
import asyncio, os, sys
from qicore_cache import open_cache
import qicore_sqlite.cache.plugin

async def main():
    for path in sys.argv[1:]:
        opened = await open_cache("sqlite:///" + path, namespace="shop")
        if not opened:
            print(opened.error.code, opened.error.category)
            continue
        cache = opened.value
        print(await cache.get("k"), await cache.get_or_set("other", lambda: 7))
        error = (await cache.set("k", 2)).error
        print(error.code, error.category)
        await cache.close()

if os.getuid() == 0:
    asyncio.run(asyncio.sleep(0))  # what is imported late is imported now
    os.setuid(65534)  # for whom rights count
asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="the system has other rights")
def test_a_file_for_reading_alone_is_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rights")
    for parent in (folder, *folder.parents):
        ours = parent.name.startswith(("rights", "pytest-", "popen-"))
        if ours and parent.stat().st_uid == os.getuid():
            parent.chmod(0o755)
    there, barred = folder / "cache.db", folder / "barred"
    on(there, lambda cache: cache.set("k", 1))
    # Who has no rights cannot make the log; what two threads closed at once has left both.
    for path, rights in ((there, 0o444), (f"{there}-wal", 0o444), (f"{there}-shm", 0o666)):
        Path(path).touch()
        Path(path).chmod(rights)
    barred.mkdir(mode=0o755)
    folder.chmod(0o777)  # so that the shared memory beside the file can be made
    (barred / "x").touch()
    barred.chmod(0o555)
    command = [sys.executable, "-c", READ_ONLY, str(there), str(barred / "new.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    barred.chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "Success(1) Success(7)",
        "CACHE_WRITE_FAILED PERMISSION",
        "CACHE_CONNECTION_FAILED CONFIGURATION",
    ]


# The end


def test_closing_does_what_waits_and_twice_does_no_harm(path: Path) -> None:
    async def main() -> None:
        store = assert_success(await SqliteStore.open(SqliteCacheSettings(path=str(path)), Parts()))
        writes = [
            asyncio.create_task(store.write("ns", {f"k{number}": Entry(b"1")}))
            for number in range(50)
        ]
        await asyncio.sleep(0)
        await store.close()
        await store.close()
        assert await asyncio.gather(*writes) == [success(None)] * 50
        for answer in (
            await store.read("ns", ["k1"]),
            await store.write("ns", {"k": Entry(b"2")}),
            await store.lock("ns", "k", "a", 1.0),
        ):
            assert_failure(answer, code="CACHE_NOT_CONNECTED")

    asyncio.run(main())
    assert asked(path, "select count(*) from qicore_cache_entries") == [(50,)]
    assert not threads()


def test_an_opening_that_is_cancelled_leaves_no_thread(path: Path) -> None:
    async def main() -> None:
        for pauses in range(8):
            task = asyncio.create_task(_await(opening(path)))
            for _ in range(pauses):
                await asyncio.sleep(0.0 if pauses < 4 else 0.001)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                await task.result().unwrap().close()

    asyncio.run(main())
    end_threads()


FORGETS = """
import asyncio, sys
from qicore_cache import open_cache

async def main():
    cache = (await open_cache("sqlite:///" + sys.argv[1], namespace="shop")).unwrap()
    (await cache.set("k", 1)).unwrap()

asyncio.run(main())
"""


def test_a_program_that_forgets_to_close_ends(path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FORGETS, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked(path, "select data from qicore_cache_entries") == [(b"1",)]


# Importing, and settings


def test_databases_import_no_cache() -> None:
    program = "import qicore_sqlite.plugin, sys; print([m for m in sys.modules if 'cache' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "qicore" not in done.stdout


@pytest.mark.parametrize(
    ("url", "settings", "said"),
    [
        ("sqlite://host/cache.db", {}, "sqlite:///cache.db"),
        ("sqlite:cache.db", {}, "sqlite:///cache.db"),
        ("sqlite:///a.db", {"path": "b.db"}, "stands in its URL"),
        ("sqlite:///a.db", {"max_entries": 0}, "max_entries is from 1"),
        ("sqlite:///a.db?max_bytes=none", {}, "max_bytes must be a whole number"),
        ("sqlite:///a.db", {"busy_timeout": -1}, "busy_timeout is seconds"),
        ("sqlite:///a.db", {"max_entires": 5}, "did you mean max_entries?"),
    ],
)
def test_settings_that_are_wrong_are_named(url: str, settings: dict[str, Any], said: str) -> None:
    opened = asyncio.run(_await(open_cache(url, **settings)))
    assert said in assert_failure(opened, code="CACHE_SETTINGS_INVALID").message


def test_settings_are_read_from_the_url_and_from_settings_which_win() -> None:
    url = "sqlite:///a%20b.db?max_entries=5&max_bytes=7&busy_timeout=0.5"
    read = SqliteCacheSettings.read(url, {"max_entries": 6})
    assert read == success(
        SqliteCacheSettings(path="a b.db", max_entries=6, max_bytes=7, busy_timeout=0.5)
    )
    assert SqliteCacheSettings().database.is_in_memory


def test_a_cache_without_a_url_is_not_this_one() -> None:
    standard = PluginPolicy(allow=["qicore-cache", "qicore-sqlite"])
    assert choose("cache", standard) == success("memory")
    assert choose("sql", standard) == success("sqlite")
