"""A program that forgets to close its database ends all the same, however it ends."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from qicore_sql.conformance.tables import ENDLESS

PROGRAM = """
import asyncio, atexit, sys, threading
from qicore_sql import open_database

@atexit.register  # before the database is opened, so it is called after what that registers
def tell():
    names = [thread.name for thread in threading.enumerate()]
    print([name for name in names if name.startswith("qicore-sqlite")])

async def read(db):
    async with db.query_stream("select n from t") as stream:
        async for _ in stream.values():
            await asyncio.Event().wait()

async def main():
    db = (await open_database("sqlite:///" + sys.argv[1], durability="normal")).unwrap()
    (await db.execute("create table if not exists t (n integer primary key)")).unwrap()
    tasks = []
    {body}
    {leave}

{begin}
"""
ENDS = {
    "nothing runs": "pass",
    "a transaction is open": "tx = (await db.transaction()).unwrap()",
    "a statement runs": f"tasks.append(asyncio.create_task(db.query({ENDLESS!r}))); "
    "await asyncio.sleep(0.05)",
    "a stream is half read": "await db.execute_many('insert into t values ($1)', "
    "[(n,) for n in range(2000)]); tasks.append(asyncio.create_task(read(db))); "
    "await asyncio.sleep(0.05)",
    "writes wait": "tasks += [asyncio.create_task(db.execute('insert into t values ($1)', n))"
    " for n in range(500)]; await asyncio.sleep(0)",
    "writes were acknowledged": "[(await db.execute('insert into t values ($1)', n)).unwrap()"
    " for n in range(50)]",
}
RUN = "asyncio.run(main())"
THREAD = """
other = threading.Thread(target=lambda: asyncio.run(main()))
other.start()
other.join()
"""
DAEMON = """
ready = threading.Event()
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
ready.wait()
"""
# How a program leaves its main function, where it runs it, and its exit status.
WAYS = {
    "it returns": ("pass", RUN, 0),
    "it exits": ("sys.exit(3)", RUN, 3),
    # Joined: once the main thread has ended, Python 3.12 lets nobody start a thread.
    "in a thread": ("pass", THREAD, 0),
    "in a thread that goes on": (
        "ready.set(); await asyncio.Event().wait()",
        DAEMON,
        0,
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_a_program_that_forgets_to_close_ends(end: str, way: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    leave, begin, status = WAYS[way]
    program = PROGRAM.format(body=ENDS[end], leave=leave, begin=begin)
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "[]\n", "")
    connection = sqlite3.connect(path)
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    if end == "writes were acknowledged":
        assert connection.execute("select count(*) from t").fetchone() == (50,)
    connection.close()
