"""The command line itself: verbs, usage, exit statuses, what is not imported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest

from qicore import __version__
from qicore.usage import read
from qicore_core import QiError

Qicore = Callable[..., Any]
LATE = {"asyncio", "typing", "dataclasses", "importlib.metadata", "argparse", "click", "logging"}


def _child(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qicore", *arguments]
    env = {**os.environ, **environ}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)


def _modules_of(*arguments: str) -> set[str]:
    program = (
        "import sys, json; from qicore.cli import main\n"
        f"status = main({list(arguments)!r})\n"
        "print(); print(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", program], text=True)
    return set(json.loads(out.splitlines()[-1]))


def test_the_version_is_said_and_nothing_dear_is_imported(qicore: Qicore) -> None:
    assert qicore("--version") == (0, f"qicore {__version__}\n", "")
    assert LATE.isdisjoint(_modules_of("--version"))


def test_listing_imports_no_plugin_and_nothing_dear() -> None:
    modules = _modules_of("plugins", "list", "--json")
    assert LATE.isdisjoint(modules)
    assert {name for name in modules if name.startswith("qicore_")} == {
        name for name in modules if name.partition(".")[0] == "qicore_core"
    }


def test_the_script_is_the_command() -> None:
    scripts = entry_points(group="console_scripts", name="qicore")
    assert {script.value for script in scripts} == {"qicore.cli:main"}


def test_python_m_is_the_command() -> None:
    done = _child("--version")
    assert (done.returncode, done.stdout) == (0, f"qicore {__version__}\n")
    assert _child("frob").returncode == 64


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(qicore: Qicore, arguments: list[str]) -> None:
    status, out, _ = qicore(*arguments)
    assert status == 0
    for verb in ("plugins list", "plugins check", "config explain", "explain", "health", "verify"):
        assert f"qicore {verb} " in out


def test_a_verb_has_its_usage(qicore: Qicore) -> None:
    usage = "usage: qicore plugins check [KIND/]NAME\n"
    assert qicore("plugins", "check", "--help") == (0, usage, "")


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["frob"], "there is no `qicore frob`", "see `qicore --help`"),
        (
            ["plugin", "list"],
            "there is no `qicore plugin list`",
            "did you mean `qicore plugins list`?",
        ),
        (["plugins"], "there is no `qicore plugins`", "did you mean `qicore plugins list`?"),
        (
            ["plugins", "list", "--jsn"],
            "there is no option --jsn",
            "usage: qicore plugins list [--json]",
        ),
        (["plugins", "list", "x"], "'x' is too much", "usage: qicore plugins list [--json]"),
        (["plugins", "check"], "something is missing", "usage: qicore plugins check [KIND/]NAME"),
        (["config", "show", "a.toml", "--env"], "--env needs a value", "usage: qicore config show"),
        (["config", "explain", "key"], "something is missing", "usage: qicore config explain"),
        (["plugins", "doctor", "-x"], "there is no option -x", "usage: qicore plugins doctor"),
        (["explain", "A", "B"], "'B' is too much", "usage: qicore explain"),
        (["health"], "something is missing", "usage: qicore health"),
        (["verify", "--url", "memory:"], "--url needs KIND/NAME=URL", "usage: qicore verify"),
        (["verify", "x"], "'x' is too much", "usage: qicore verify"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_is_64_with_the_usage(
    qicore: Qicore, arguments: list[str], said: str, hint: str
) -> None:
    status, out, err = qicore(*arguments)
    assert (status, out) == (64, "")
    assert err.startswith(f"error: COMMAND_MISUSED: {said}\nhint: {hint}")


def test_words_after_a_verb_are_read_in_any_order() -> None:
    given = ["a", "--env=X", "--json", "--env", "Y", "-", "--", "--b"]
    found = read(given, "usage", flags=["--json"], options=["--env"], most=None).unwrap()
    assert (found.words, found.flags) == (["a", "-", "--b"], {"--json"})
    assert found.options == {"--env": ["X", "Y"]}
    assert (found.option("--env"), found.option("--no")) == ("Y", None)


def test_a_plugin_may_bring_a_verb(qicore: Qicore, install: Any) -> None:
    code = (
        "from qicore_core import hookimpl\n"
        "@hookimpl\n"
        "def qicore_register_commands(commands):\n"
        "    commands['greet'] = lambda words: print('hello', *words) or 5\n"
    )
    install("acme-greet", {"qicore": {"greet": "acme_greet"}}, {"acme_greet.py": code})
    assert qicore("greet", "you") == (5, "hello you\n", "")
    assert "did you mean `qicore greet`?" in qicore("gret").err


def test_a_failure_is_printed_as_code_message_hint_and_exits_by_category(qicore: Qicore) -> None:
    status, out, err = qicore("config", "show", "no-such.toml")
    assert (status, out) == (78, "")
    lines = err.splitlines()
    assert lines[0].startswith("error: CONFIG_FILE_NOT_FOUND: ")
    assert "no-such.toml" in lines[0]


def test_failures_in_a_failure_are_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    from qicore.terminal import print_failure

    held = [QiError.network("A", "a"), QiError.network("B", "password=hunter2")]
    assert print_failure(QiError.aggregate(held)) == 75
    err = capsys.readouterr().err
    assert "\n  A: a\n  B: password=***\n" in err
    assert "hunter2" not in err


def test_a_terminal_gets_marks_and_a_pipe_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from qicore.terminal import print_table

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def printed(stream: io.StringIO) -> str:
        monkeypatch.setattr(sys, "stdout", stream)
        print_table(("law", "outcome"), [("a", "kept"), ("b", "broken"), ("longer", "not run")])
        return stream.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain = "law     outcome\na       kept\nb       broken\nlonger  not run\n"
    assert printed(io.StringIO()) == plain
    assert "\x1b[32mkept" in printed(Terminal())
    assert "\x1b[31mbroken" in printed(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(Terminal()) == plain
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert printed(Terminal()) == plain


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    program = "from qicore.cli import main; raise SystemExit(main(['explain']))"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_ctrl_c_is_130_without_a_traceback(qicore: Qicore, install: Any) -> None:
    code = (
        "import signal\n"
        "from qicore_core import hookimpl\n"
        "@hookimpl\n"
        "def qicore_register_commands(commands):\n"
        "    commands['wait'] = lambda words: signal.raise_signal(signal.SIGINT)\n"
    )
    install("acme-wait", {"qicore": {"wait": "acme_wait"}}, {"acme_wait.py": code})
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert qicore("wait") == (130, "", "")
