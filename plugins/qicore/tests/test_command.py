"""The command line itself: verbs, usage, exit statuses, what is not imported."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from qicore import __version__
from qicore.cli import _VERBS
from qicore.terminal import print_failure, print_json, print_progress, print_table, say
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


@pytest.mark.parametrize("row", _VERBS, ids=lambda row: str(row[0]))
def test_every_verb_says_what_it_does_and_what_its_options_are(
    qicore: Qicore, row: tuple[str, ...]
) -> None:
    words, arguments, what, _, _ = row
    for flag in ("--help", "-h"):
        status, out, err = qicore(*words.split(), flag)
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: qicore {words} {arguments}\n\n{what}\n")
        options = [word.strip("[].") for word in arguments.split() if word.startswith("[--")]
        assert options == [word for word in options if f"\n  {word}" in out]


def test_a_group_of_verbs_has_its_help(qicore: Qicore) -> None:
    status, out, _ = qicore("plugins", "--help")
    assert status == 0
    assert [line.split()[2] for line in out.splitlines()[::2]] == ["list", "doctor", "check"]


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
        (["--verson"], "there is no `qicore --verson`", "did you mean `qicore --version`?"),
        (
            ["verfy", "something-else"],
            "there is no `qicore verfy something-else`",
            "did you mean `qicore verify`?",
        ),
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
        (
            ["verify", "--url", "cache/memry=memory:"],
            "--url names cache/memry, which is not installed",
            "did you mean cache/memory?",
        ),
        (["plugins", "check", "memory", "--url", "x"], "--url needs KIND/NAME=URL", "usage: "),
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


def test_a_verb_that_is_not_there_may_be_a_plugin_that_does_not_work(
    qicore: Qicore, install: Any
) -> None:
    raises = "from qicore_core import hookimpl\n@hookimpl\ndef qicore_register_commands(c): 1 / 0\n"
    install("acme-greet", {"qicore": {"greet": "acme_greet"}}, {"acme_greet.py": raises})
    install("acme-gone", {"qicore": {"gone": "acme_gone"}}, {})
    assert "2 plugins that may bring verbs do not work: `qicore plugins doctor`" in (
        qicore("greet").err
    )


def test_a_failure_is_printed_as_code_message_hint_and_exits_by_category(qicore: Qicore) -> None:
    status, out, err = qicore("config", "show", "no-such.toml")
    assert (status, out) == (78, "")
    lines = err.splitlines()
    assert lines[0].startswith("error: CONFIG_FILE_NOT_FOUND: ")
    assert "no-such.toml" in lines[0]


def test_failures_in_a_failure_are_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    held = [QiError.network("A", "a"), QiError.network("B", "password=hunter2")]
    assert print_failure(QiError.aggregate(held)) == 75
    err = capsys.readouterr().err
    assert "\n  A: a\n  B: password=***\n" in err
    assert "hunter2" not in err


class Terminal(io.StringIO):
    """A terminal of eighty columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[[io.StringIO], str]:
    """Give what prints a table on a stream."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    def on(stream: io.StringIO) -> str:
        monkeypatch.setattr(sys, "stdout", stream)
        print_table(("law", "outcome"), [("a", "kept"), ("b", "broken"), ("longer", "not run")])
        return stream.getvalue()

    return on


PLAIN = "law     outcome\na       kept\nb       broken\nlonger  not run\n"


def test_a_terminal_gets_marks_and_a_pipe_does_not(
    printed: Callable[[io.StringIO], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed(io.StringIO()) == PLAIN
    assert "\x1b[32mkept" in printed(Terminal())
    assert "\x1b[31mbroken" in printed(Terminal())
    monkeypatch.setenv("NO_COLOR", "")  # to be empty is not to be set: no-color.org
    assert "\x1b[32mkept" in printed(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(Terminal()) == PLAIN
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert printed(Terminal()) == PLAIN


def test_a_table_that_is_too_wide_stands_one_below_the_other(
    printed: Callable[[io.StringIO], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "15")
    assert printed(Terminal()) == PLAIN
    monkeypatch.setenv("COLUMNS", "14")
    assert printed(io.StringIO()) == PLAIN  # programs read columns
    assert printed(Terminal()) == (
        "law      a\noutcome  kept\n\nlaw      b\noutcome  broken\n\n"
        "law      longer\noutcome  not run\n\n"
    )


def test_the_width_of_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    program = (
        "import sys; from qicore.terminal import print_table\n"
        "print_table(('a', 'b'), [('x' * 30, 'y' * 30)])"
    )
    assert len(_in_a_terminal(program, columns=80).split(b"\n")) == 3
    assert _in_a_terminal(program, columns=20).count(b"\n") == 3


def _in_a_terminal(program: str, columns: int) -> bytes:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {**os.environ, "NO_COLOR": "1"}
    subprocess.run([sys.executable, "-c", program], stdout=theirs, env=environ, timeout=60)
    os.close(theirs)
    said = os.read(ours, 65536)
    os.close(ours)
    return said


def test_nothing_of_what_is_printed_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x9b31m\r\x07\u202e\ud800é"
    shown = r"\x1b[2J\x9b31m\r\x07\u202e\ud800é"
    print_failure(QiError.network("EVIL", f"it said {evil}\nerror: X", hint=f"ask {evil}"))
    print_failure(QiError.aggregate([QiError.network("EVIL", evil), QiError.network("B", "b")]))
    print_table((evil,), [(evil,)])
    say(f"{evil}\n{evil}")
    print_progress(evil)
    out, err = capsys.readouterr()
    assert err.startswith(f"error: EVIL: it said {shown}\\nerror: X\nhint: ask {shown}\n")
    assert f"\n  EVIL: {shown}\n" in err
    assert err.endswith(f"\n{shown}\n")
    assert out == f"{shown}\n" * 4
    print_json({evil: f"{evil}\x7f"})
    said = capsys.readouterr().out
    assert all(" " <= one <= "~" or one == "\n" for one in said)
    assert json.loads(said) == {evil: f"{evil}\x7f"}


@pytest.fixture(params=["buffered", "unbuffered"])
def buffering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Python hold what is printed back, as it does, and write it at once, as it may."""
    if request.param == "buffered":
        monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    else:
        monkeypatch.setenv("PYTHONUNBUFFERED", "1")


@pytest.mark.usefixtures("buffering")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    for arguments in (["explain"], ["--version"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = _child_on(arguments, stdout=writing, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (141, b"")
        assert _child_on([*arguments, "frob"], stdout=writing, stderr=writing).returncode == 141
        os.close(writing)


@pytest.mark.usefixtures("buffering")
def test_a_disk_that_is_full_is_a_failure() -> None:
    for arguments in (["--version"], ["explain"], ["plugins", "list", "--json"]):
        with open("/dev/full", "w") as full:
            done = _child_on(arguments, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 71
        assert done.stderr == (
            b"error: OUTPUT_FAILED: the output could not be written: No space left on device\n"
            b"hint: is the disk full?\n"
        )
    with open("/dev/full", "w") as full:
        assert _child_on(["explain"], stdout=full, stderr=full).returncode == 71
        assert _child_on(["explain", "ZZZ"], stdout=subprocess.PIPE, stderr=full).returncode == 71


def test_output_that_was_closed_before_goes_nowhere() -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        script = f'"$0" -m qicore plugins list {closed}; "$0" -m qicore frob {closed}'
        done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, timeout=60)
        assert done.returncode == 64
        assert b"Traceback" not in done.stderr


def test_an_encoding_that_lacks_a_character_shows_it_escaped(tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_text('"schlüssel" = "日"\n', "utf-8")
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "qicore", "config", "show", str(file)]
    done = subprocess.run(command, capture_output=True, timeout=60, env=environ)
    assert done.returncode == 0
    assert rb"schl\xfcssel  '\u65e5'" in done.stdout


def _child_on(arguments: list[str], **streams: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "qicore", *arguments], timeout=60, **streams)


def test_an_error_of_a_file_is_no_error_of_the_output(qicore: Qicore, install: Any) -> None:
    code = (
        "from qicore_core import hookimpl\n"
        "@hookimpl\n"
        "def qicore_register_commands(commands):\n"
        "    commands['read'] = lambda words: open('/no/such/file')\n"
    )
    install("acme-read", {"qicore": {"read": "acme_read"}}, {"acme_read.py": code})
    with pytest.raises(FileNotFoundError):
        qicore("read")


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


def test_ctrl_c_while_laws_are_run_is_130_without_a_traceback() -> None:
    command = [sys.executable, "-m", "qicore", "verify"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "running the 14 laws of Result ...\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in err
