"""What each verb shows and with which status it exits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qicore.config_laws import ConfigLaws
from qicore_cache.conformance import CacheContract
from qicore_core.conformance import ResultLaws

Qicore = Callable[..., Any]
PLUGIN = """
from qicore_core import Kind, Opening, QiError, failure, hookimpl, success

class Client:
    def __init__(self, ill): self.ill = ill
    async def close(self): ...
    async def health(self):
        return failure(QiError.network("DUCK_DOWN", "no answer")) if self.ill else success()

def open_duck(url, settings, parts=None, /):
    async def start():
        rest = (url or "").partition(":")[2]
        if rest not in ("", "ill"):
            return failure(QiError.validation("DUCK_URL", "a duck's URL is duck:", hint="duck:"))
        return success(Client(rest == "ill"))
    return Opening(start)

DUCK = Kind("duck", open_duck)

@hookimpl
def qicore_register_adapters(registry):
    registry.add(DUCK, "duck", open_duck)
"""
POINTS = {"qicore.duck": {"duck": "acme_duck.plugin"}}
FILES = {"acme_duck/__init__.py": "", "acme_duck/py.typed": "", "acme_duck/plugin.py": PLUGIN}
# What a domain has for its drivers
CONTRACT = """
import pytest

from qicore.config_laws import ConfigLaws
from qicore_cache.conformance import CacheContract
from qicore_core.conformance import ResultLaws
from qicore_core.conformance import Contract, law
from .plugin import open_duck
__all__ = ["DuckContract"]

class DuckContract(Contract, abstract=True):
    url = ""
    def opening(self):
        return open_duck(self.url, {})
    @law()
    async def it_is_well(self, duck):
        "A duck is well."
        assert not duck.ill, 'it is ill'
    @law()
    def it_flies(self):
        "A duck flies."
        pytest.skip('no sky here')
"""
OPENS_BY_PORT = (
    PLUGIN.replace("DUCK = Kind", "ports = lambda *_: 1 / 0\nDUCK = Kind")
    .replace("'duck', open_duck)", "'duck', ports)")
    .replace(
        "    async def start():",
        "    from qicore_core import Parts\n"
        "    from qicore_core.plugins import open_port\n"
        "    return open_port(DUCK, 'duck', 'duck:', {}, Parts())\n"
        "    async def start():",
    )
    .replace('registry.add(DUCK, "duck", open_duck)', 'registry.add(DUCK, "duck", ports)')
)


@pytest.fixture
def duck(install: Any) -> Any:
    """Install a driver that works, and give what installs more."""
    install("acme-duck", POINTS, FILES)
    return install


def _rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


# plugins


def test_list_shows_a_table_and_the_same_as_json(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck("acme-old", {"qicore.duck": {"old": "x"}}, {}, "qicore-core>=9")
    duck("acme-two", {"qicore.duck": {"same": "x"}, "qicore": {"watch": "x"}}, {})
    duck("acme-three", {"qicore.duck": {"same": "x"}}, {})
    duck("acme-evil", {"qicore.duck": {"evil": "x"}}, {})
    monkeypatch.setenv("QICORE_PLUGINS_DISABLED", "acme-evil")
    status, out, _ = qicore("plugins", "list")
    assert status == 0
    assert _rows(out)[0] == ["kind", "name", "distribution", "version", "state"]
    rows = [row for row in _rows(out) if "acme" in row[2]]
    assert rows == [
        ["hooks", "watch", "acme-two", "1.0", "ready"],
        ["duck", "duck", "acme-duck", "1.0", "ready"],
        ["duck", "evil", "acme-evil", "1.0", "denied"],
        ["duck", "old", "acme-old", "1.0", "needs", "qicore-core", ">=9"],
        ["duck", "same", "acme-three", "1.0", "conflict"],
        ["duck", "same", "acme-two", "1.0", "conflict"],
    ]
    data = json.loads(qicore("plugins", "list", "--json").out)
    assert [one for one in data if one["name"] == "evil"] == [
        {
            "kind": "duck",
            "name": "evil",
            "distribution": "acme-evil",
            "version": "1.0",
            "state": "denied",
        }
    ]


def test_list_says_that_nothing_is_there(
    qicore: Qicore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    from importlib import import_module

    from qicore_core import plugins

    import_module("qicore.verbs.plugins")  # before the path is taken away
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    plugins.reset()
    assert qicore("plugins", "list") == (0, "no plugin is installed\n", "")
    plugins.reset()


def test_doctor_finds_nothing_where_nothing_is_wrong(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck")
    status, out, err = qicore("plugins", "doctor")
    assert (status, err) == (0, "")
    assert out.endswith(": nothing is wrong\n")
    assert json.loads(qicore("plugins", "doctor", "--json").out) == []


def test_doctor_names_what_is_wrong_and_what_mends_it(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    duck("acme-sdk", {"qicore.duck": {"sdk": "acme_sdk"}}, {"acme_sdk.py": "import vendor"})
    duck("acme-hooks", {"qicore": {"hooks": "acme_hooks"}}, {"acme_hooks.py": "1 / 0"})
    duck("acme-evil", {"qicore.duck": {"evil": "acme_evil"}}, {"acme_evil.py": "raise SystemExit"})
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck,acme-sdk,acme-hooks,acme-typo")
    status, out, _ = qicore("plugins", "doctor")
    assert status == 1
    assert "acme-sdk 1.0 does not work: it needs the module 'vendor'" in out
    assert "    mend it: pip install --force-reinstall acme-sdk\n" in out
    assert "acme-hooks 1.0 does not work: importing it raised ZeroDivisionError" in out
    assert "QICORE_PLUGINS names acme-typo, which has no plugin here" in out
    assert "evil" not in out.replace("acme-evil", "")  # refused, and so not wrong
    assert out.endswith(": 3 wrong\n")
    data = json.loads(qicore("plugins", "doctor", "--json").out)
    codes = [one["code"] for one in data]
    assert codes == ["PLUGIN_LOAD_FAILED", "PLUGIN_LOAD_FAILED", "PLUGIN_NOT_FOUND"]


@pytest.mark.parametrize(
    ("variable", "said"),
    [("DISABLED", "acme-dukc"), ("PREFER", "duck/duck=acme-dukc")],
)
def test_doctor_names_a_name_that_no_distribution_has(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(f"QICORE_PLUGINS_{variable}", said)
    status, out, _ = qicore("plugins", "doctor")
    assert status == 1
    assert f"QICORE_PLUGINS_{variable} names acme-dukc, which has no plugin here" in out
    assert f"mend it: correct QICORE_PLUGINS_{variable}; did you mean acme-duck?" in out


def test_doctor_misses_pluggy(qicore: Qicore, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setenv("QICORE_PLUGINS", "")
    monkeypatch.setitem(sys.modules, "pluggy", None)
    status, out, _ = qicore("plugins", "doctor")
    assert status == 1
    assert "PLUGGY_MISSING" in out
    assert "mend it: pip install 'qicore-core[plugins]'" in out


@pytest.mark.parametrize("name", ["duck/duck", "duck", "Acme_Duck"])
def test_check_runs_every_law_on_a_distribution(qicore: Qicore, duck: Any, name: str) -> None:
    status, out, err = qicore("plugins", "check", name)
    assert status == 0, out
    assert ["acme-duck", "loading", "imports", "no", "vendor", "kept"] in _rows(out)
    assert "duck/duck, not run:\n    the domain of duck has no contract" in out
    assert err == "running the 7 laws of acme-duck ...\n"


def test_check_says_which_law_is_broken_and_why(qicore: Qicore, install: Any) -> None:
    install("acme-duck", POINTS, FILES, "qicore-core")
    status, out, _ = qicore("plugins", "check", "duck")
    assert status == 1
    assert ["acme-duck", "the", "core", "is", "required", "in", "a", "range", "broken"] in (
        _rows(out)
    )
    assert "require qicore-core>=X.Y,<(X+1)" in out
    assert "unsupported" not in out  # that law cannot be excused
    data = json.loads(qicore("plugins", "check", "duck", "--json").out)
    broken = [one for one in data if one["outcome"] == "broken"]
    assert [(one["suite"], one["law"]) for one in broken] == [
        ("acme-duck", "the_core_is_required_in_a_range")
    ]


def test_check_runs_the_contract_of_the_domain_on_a_driver(qicore: Qicore, duck: Any) -> None:
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": CONTRACT})
    assert qicore("plugins", "check", "duck").status == 0
    status, out, err = qicore("plugins", "check", "duck", "--url", "duck/duck=duck:ill")
    assert status == 1
    assert ["duck/duck", "it", "is", "well", "broken"] in _rows(out)
    assert "AssertionError: it is ill" in out
    assert out.endswith(
        "\nlaws are excused by `unsupported` in acme_duck/conformance.py, which ships; "
        "what tests alone excuse is broken here\n"
    )
    assert "running the 2 laws of duck/duck ...\n" in err


def test_a_contract_that_takes_no_url_says_so(qicore: Qicore) -> None:
    given = ("--url", "http/stdlib=http://127.0.0.1:1")
    status, out, _ = qicore("plugins", "check", "http/stdlib", *given)
    assert status == 1
    assert "its contract asks a server of the kit's own: leave --url out" in out


def test_check_runs_the_contract_that_a_plugin_ships(qicore: Qicore, duck: Any) -> None:
    shipped = (
        "from acme_duck.conformance import DuckContract\n"
        "__all__ = ['TestDrake']\n"
        "class TestDrake(DuckContract):\n"
        "    url = 'duck:ill'\n"
        "    unsupported = {'it_is_well': 'drakes never are'}\n"
    )
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": CONTRACT})
    plugin = PLUGIN.replace("DUCK = Kind", "from acme_duck.plugin import DUCK\nUNUSED = Kind")
    files = {
        "acme_drake/__init__.py": "",
        "acme_drake/py.typed": "",
        "acme_drake/plugin.py": plugin.replace('"duck", open_duck)\n', '"drake", open_duck)\n'),
        "acme_drake/conformance.py": shipped,
    }
    plugin = files["acme_drake/plugin.py"]
    assert 'registry.add(DUCK, "drake", open_duck)' in plugin
    duck("acme-drake", {"qicore.duck": {"drake": "acme_drake.plugin"}}, files)
    _, out, _ = qicore("plugins", "check", "duck/drake")
    assert ["duck/drake", "it", "is", "well", "excused"] in _rows(out)
    assert "excused:\n    drakes never are" in out
    well = shipped.replace("duck:ill", "duck:")
    duck(
        "acme-drake",
        {"qicore.duck": {"drake": "acme_drake.plugin"}},
        {
            **files,
            "acme_drake/conformance.py": well,
        },
    )
    import sys

    del sys.modules["acme_drake.conformance"]
    _, out, _ = qicore("plugins", "check", "duck/drake")
    assert "it holds: take it out of `unsupported`" in out


def test_check_says_what_it_does_not_find(qicore: Qicore, duck: Any) -> None:
    duck("acme-other", {"qicore.goose": {"duck": "x"}}, {})
    several = qicore("plugins", "check", "duck")
    assert several.status == 64
    assert "'duck' is several: duck/duck of acme-duck, goose/duck of acme-other" in several.err
    nothing = qicore("plugins", "check", "nothing")
    assert nothing.status == 78
    assert "see `qicore plugins list`" in nothing.err
    typo = qicore("plugins", "check", "duck/dukc")
    assert "did you mean 'duck'?" in typo.err


def test_laws_need_the_kit(qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for arguments in (["plugins", "check", "duck"], ["verify"]):
        status, _, err = qicore(*arguments)
        assert status == 78
        assert err.startswith("error: KIT_MISSING: ")
        assert err.endswith("hint: pip install 'qicore[testing]'\n")


# config


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a configuration with a profile, and set a variable."""
    (tmp_path / "app.toml").write_text('name = "shop"\n[db]\nhost = "a"\npassword = "hunter2"\n')
    (tmp_path / "app.production.toml").write_text('[db]\nhost = "b"\n')
    monkeypatch.setenv("SHOP_DB__PORT", "5432")
    return str(tmp_path / "app.toml")


def test_config_show_says_who_set_what_and_no_secret(qicore: Qicore, app: str) -> None:
    status, out, _ = qicore("config", "show", app, "--env", "SHOP_", "--profile", "production")
    assert status == 0
    rows = {row[0]: row[1:] for row in _rows(out)}
    assert rows["db.host"][0] == "'b'"
    assert rows["db.host"][1].endswith("app.production.toml:2")
    assert rows["db.port"] == ["'5432'", "SHOP_DB__PORT"]
    assert "hunter2" not in out
    data = json.loads(qicore("config", "show", app, "--json").out)
    assert [one["key"] for one in data] == ["name", "db.host", "db.password"]
    assert "hunter2" not in json.dumps(data)


def test_config_explain_says_what_is_shadowed(qicore: Qicore, app: str) -> None:
    status, out, _ = qicore("config", "explain", "db.host", app, "--profile=production")
    assert status == 0
    assert out.splitlines()[0].startswith("db.host = 'b' from ")
    assert "shadows 'a' from " in out
    secret = qicore("config", "explain", "db.password", app)
    assert "hunter2" not in secret.out
    missing = qicore("config", "explain", "db.hots", app)
    assert missing.status == 78
    assert missing.err == (
        "error: CONFIG_KEY_NOT_FOUND: db.hots is not set\nhint: did you mean db.host?\n"
    )
    replaced = qicore("config", "explain", "db.host.name", app)
    assert "error: CONFIG_KEY_NOT_FOUND: db.host.name is not set: " in replaced.err


def test_a_profile_that_no_file_has_is_named(qicore: Qicore, app: str) -> None:
    status, _, err = qicore("config", "show", app, "--profile", "prod")
    assert status == 78
    assert "no file has the profile 'prod'" in err
    assert qicore("config", "explain", "x", app, "--profile", "prod").status == 78


def test_a_dotenv_file_is_read_with_its_prefix(qicore: Qicore, tmp_path: Path) -> None:
    (tmp_path / "local.env").write_text("SHOP_DB__HOST=c\nOTHER=1\n")
    out = qicore("config", "show", str(tmp_path / "local.env"), "--env", "SHOP_").out
    assert "db.host" in out
    assert "OTHER" not in out


def test_a_key_of_another_file_cannot_write_on_the_terminal(qicore: Qicore, tmp_path: Path) -> None:
    file = tmp_path / "app.json"
    file.write_text(r'{"a\ud800": 1, "b\u001b[2J": "c\u001b[31m\n", "d\u007f": {"\u009b1m": 2}}')
    for arguments in (["show", str(file)], ["show", str(file), "--json"]):
        status, out, _ = qicore("config", *arguments)
        assert status == 0
        assert {one for one in out if not one.isprintable()} == {"\n"}
    for key in ("a\ud800", "\x1b[2J", "d\x7f"):
        said = qicore("config", "explain", key, str(file))
        assert {one for one in said.out + said.err if not one.isprintable()} == {"\n"}


@pytest.mark.parametrize(
    ("name", "text"),
    [("no.toml", None), ("bad.toml", b"= \x1b["), ("binary.toml", b"\xff\x00"), ("x.odd", b"")],
    ids=["missing", "no TOML", "no text", "no format"],
)
def test_a_file_that_cannot_be_read_is_named(
    qicore: Qicore, tmp_path: Path, name: str, text: bytes | None
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_bytes(text)
    for verb in (["config", "show"], ["config", "explain", "key"], ["health"]):
        status, out, err = qicore(*verb, str(file))
        assert (status, out) == (78, "")
        assert err.startswith("error: CONFIG_")
        assert name in err
        assert "\x1b" not in err
    assert qicore("config", "show", str(tmp_path)).status == 78  # a folder


# explain


def test_explain_says_what_follows_from_a_code(qicore: Qicore) -> None:
    for spelling in ("CIRCUIT_OPEN", "circuit-open"):
        status, out, _ = qicore("explain", spelling)
        assert status == 0
        rows = {row[0]: " ".join(row[1:]) for row in _rows(out)}
        assert rows["category"] == "UNAVAILABLE"
        assert rows["retry"] == "yes, after a pause that grows"
        assert (rows["HTTP"], rows["exit"]) == ("503", "69")


def test_explain_without_a_code_lists_all(qicore: Qicore) -> None:
    status, out, _ = qicore("explain")
    assert status == 0
    assert {"CIRCUIT_OPEN", "COMMAND_MISUSED"} <= {row[0] for row in _rows(out)}


def test_explain_gives_the_nearest_for_a_code_that_is_none(qicore: Qicore) -> None:
    status, out, err = qicore("explain", "CIRCUIT_OPN")
    assert (status, out) == (66, "")
    assert "hint: did you mean CIRCUIT_OPEN?" in err
    assert "`qicore explain` lists all codes" in qicore("explain", "ZZZ").err


def test_explain_reads_what_a_plugin_writes_without_importing_it(
    qicore: Qicore, install: Any
) -> None:
    text = (
        "raise SystemExit('imported')\n"
        "from typing import Final\n"
        "DOWN: Final = 'DUCK_DOWN'\n"
        '"""NETWORK or TIMEOUT: the duck\n    is away.\n\nFeed it."""\n'
        "BARE = 'DUCK_BARE'\n"
        "ODD = 'DUCK_ODD'\n'''What it is: not a category.'''\n"
        "OTHER = 'no code'\n"
    )
    files = {"acme_duck/__init__.py": "raise SystemExit", "acme_duck/errors.py": text}
    install("acme-duck", POINTS, files)
    install("acme-gone", {"qicore.duck": {"gone": "acme_gone"}}, {})
    _, out, _ = qicore("explain", "DUCK_DOWN")
    assert "what      the duck is away.\n" in out
    assert "to do     Feed it.\n" in out
    assert "HTTP      502 or 504\n" in out
    assert "category  not written\n" in qicore("explain", "DUCK_BARE").out
    assert "what      What it is: not a category.\n" in qicore("explain", "DUCK_ODD").out
    assert "DUCK_OTHER" not in qicore("explain").out


# health


def test_health_says_how_each_component_is(qicore: Qicore, duck: Any, tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_text('[duck.a]\nurl = "duck:"\n[duck.b]\nurl = "duck:ill"\n')
    status, out, _ = qicore("health", str(file))
    assert status == 1
    rows = {row[0]: row for row in _rows(out)}
    assert rows["duck.a"][1] == "well"
    assert rows["duck.b"][1] == "ill"
    assert "DUCK_DOWN: no answer" in out
    data = json.loads(qicore("health", str(file), "--json").out)
    assert {one["name"]: one["status"] for one in data} == {"duck.a": "pass", "duck.b": "fail"}
    file.write_text('[duck]\nurl = "duck:"\n')
    assert qicore("health", str(file)).status == 0


def test_health_of_what_does_not_open_is_its_failure(
    qicore: Qicore, duck: Any, tmp_path: Path
) -> None:
    file = tmp_path / "app.toml"
    file.write_text('[duck]\nurl = "duck:far"\n')
    status, out, err = qicore("health", str(file))
    assert (status, out) == (65, "")
    assert err == f"error: DUCK_URL: [duck] ({file}:1): a duck's URL is duck:\nhint: duck:\n"
    file.write_text("[other]\n")
    assert qicore("health", str(file)).status == 0
    assert qicore("health", str(tmp_path / "no.toml")).status == 78


def test_health_names_what_has_no_check_and_what_is_passed_over(
    qicore: Qicore, duck: Any, tmp_path: Path
) -> None:
    plugin = PLUGIN.replace("health(", "wealth(")
    duck("acme-duck", POINTS, {**FILES, "acme_duck/plugin.py": plugin})
    file = tmp_path / "app.toml"
    file.write_text('[duck]\nurl = "duck:"\n[dukc]\nurl = "duck:"\n[shop]\n[qicore.plugins]\n')
    status, out, err = qicore("health", str(file))
    assert (status, err) == (0, "")
    assert out == (
        "component  state   ms  why\n"
        "duck       opened      no check\n"
        "[dukc] is passed over: no plugin is of this kind; did you mean [duck]?\n"
        "[shop] is passed over: no plugin is of this kind\n"
    )
    data = json.loads(qicore("health", str(file), "--json").out)
    assert data == [{"name": "duck", "status": "unchecked"}]
    file.write_text('[dukc]\nurl = "duck:"\n')
    status, out, err = qicore("health", str(file))
    assert (status, err) == (0, "")
    assert out == (
        "nothing is configured that could be opened\n"
        "[dukc] is passed over: no plugin is of this kind; did you mean [duck]?\n"
    )


# verify: the whole takes half a minute, so only what is particular is run here


def test_verify_names_what_it_cannot_run(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_measuring(monkeypatch)
    duck("acme-sdk", {"qicore.duck": {"sdk": "acme_sdk"}}, {"acme_sdk.py": "import vendor"})
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck,acme-sdk")
    status, out, _ = qicore("verify", "--url", "duck/duck=duck:x")
    assert status == 0, out
    assert ["duck/duck", "0", "of", "?", "not", "run"] in _rows(out)
    assert "the domain of duck has no contract" in out
    assert "PLUGIN_LOAD_FAILED" in out
    assert "0 broken, 0 missed, " in out
    assert qicore("verify", "--strict").status == 1


def test_verify_runs_the_contract_of_a_domain_on_its_drivers_and_can_fail(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_measuring(monkeypatch)
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": CONTRACT})
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck")
    status, out, err = qicore("verify")
    assert status == 0, out
    assert ["duck/duck", "1", "of", "2", "not", "run"] in _rows(out)
    assert "duck/duck it flies, not run:\n    no sky here" in out
    assert err.startswith("running the 14 laws of Result ...\n")
    ill = qicore("verify", "--url", "duck/duck=duck:ill")
    assert ill.status == 1
    assert ["duck/duck", "0", "of", "2", "broken"] in _rows(ill.out)
    assert "AssertionError: it is ill" in ill.out
    gone = qicore("verify", "--url", "duck/duck=duck:far")  # it was pointed to
    assert gone.status == 1
    assert ["duck/duck", "0", "of", "?", "broken"] in _rows(gone.out)


def test_a_driver_whose_peer_is_not_here_is_named_and_not_passed(
    qicore: Qicore, duck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_measuring(monkeypatch)
    contract = CONTRACT.replace("open_duck(self.url, {})", "open_duck('duck:far', {})")
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": contract})
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck")
    status, out, _ = qicore("verify")
    assert status == 0
    assert ["duck/duck", "0", "of", "?", "not", "run"] in _rows(out)
    assert "(give its address by --url duck/duck=URL)" in out


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"acme_duck/plugin.py": "1 +"}, "importing it raised SyntaxError"),
        ({"acme_duck/conformance.py": "1 / 0"}, "contract cannot be imported: ZeroDivisionError"),
        (
            {"acme_duck/conformance.py": "import vendor"},
            "its contract cannot be imported: ModuleNotFoundError: No module named 'vendor'",
        ),
        (
            {"acme_duck/conformance.py": CONTRACT, "acme_duck/plugin.py": OPENS_BY_PORT},
            "PLUGIN_RAISED",
        ),
    ],
    ids=["plugin", "contract", "contract's peer", "factory"],
)
def test_what_is_installed_and_broken_is_1(
    qicore: Qicore,
    install: Any,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    said: str,
) -> None:
    _without_measuring(monkeypatch)
    install("acme-duck", POINTS, {**FILES, **files})
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck")
    status, out, _ = qicore("verify")
    assert status == 1
    assert ["duck/duck", "0", "of", "?", "broken"] in _rows(out)
    assert said in out


@pytest.mark.parametrize(
    ("line", "outcome", "why"),
    [
        ("import vendor", "not run", "it needs vendor, which is not installed"),
        ("open_duck.__globals__['__builtins__']['__import__']('x')", "broken", "named 'x'"),
        ("pytest.fail('no')", "broken", "Failed: no"),
        ("return 1 / 0", "broken", "breaks the law 'it_is_well': A duck is well."),
    ],
)
def test_a_law_that_cannot_ask_is_told_from_one_that_is_broken(
    qicore: Qicore, duck: Any, line: str, outcome: str, why: str
) -> None:
    contract = CONTRACT.replace("assert not duck.ill, 'it is ill'", line)
    helped = PLUGIN + "\ndef helped(): import x\n"
    if "__import__" in line:
        contract = contract.replace(line, "from .plugin import helped; helped()")
    duck(
        "acme-duck",
        POINTS,
        {
            **FILES,
            "acme_duck/conformance.py": contract,
            "acme_duck/plugin.py": helped,
        },
    )
    data = json.loads(qicore("plugins", "check", "duck", "--json").out)
    (law,) = [one for one in data if one["law"] == "it_is_well"]
    assert law["outcome"] == outcome
    assert why in law["why"]


def test_a_contract_that_cannot_open_says_it_by_its_laws(qicore: Qicore, duck: Any) -> None:
    contract = CONTRACT.replace("return open_duck(self.url, {})", "return 1 / 0")
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": contract})
    status, out, _ = qicore("plugins", "check", "duck")
    assert status == 1
    assert "ZeroDivisionError" in out
    raises = CONTRACT.replace(
        "return open_duck(self.url, {})",
        "from qicore_core import QiError; raise QiError.network('DOWN', 'it is down')",
    )
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": raises})
    import sys

    del sys.modules["acme_duck.conformance"]
    assert "DOWN: it is down (give its address by" in qicore("plugins", "check", "duck").out


# A store that keeps entries beyond their end
ETERNAL = """
from qicore_cache import CACHE
from qicore_core import Opening, hookimpl, success

class Store:
    def __init__(self):
        self.kept = {}

    async def read(self, ns, keys, /):
        kept = self.kept.get(ns, {})
        return success({key: kept[key] for key in keys if key in kept})

    async def write(self, ns, entries, /):
        self.kept.setdefault(ns, {}).update(entries)
        return success()

    async def delete(self, ns, keys, /):
        kept = self.kept.get(ns, {})
        gone = [key for key in (list(kept) if keys is None else keys) if key in kept]
        return success(len([kept.pop(key) for key in gone]))

    async def count(self, ns, /):
        return success(len(self.kept.get(ns, {})))

    async def close(self): ...

def open_eternal(url, settings, parts, /):
    async def start():
        return success(Store())
    return Opening(start)

@hookimpl
def qicore_register_adapters(registry):
    registry.add(CACHE, "eternal", open_eternal)
"""


def test_verify_is_1_where_a_driver_breaks_a_law_of_its_domain(
    qicore: Qicore, install: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_measuring(monkeypatch)
    monkeypatch.setattr(CacheContract, "shrinks", False)  # the first example that fails will do
    install(
        "acme-eternal", {"qicore.cache": {"eternal": "acme_eternal"}}, {"acme_eternal.py": ETERNAL}
    )
    monkeypatch.setenv("QICORE_PLUGINS", "acme-eternal,qicore-cache")
    status, out, _ = qicore("verify", "--json")
    assert status == 1
    said = json.loads(out)
    broken = [(one["suite"], one["law"]) for one in said["laws"] if one["outcome"] == "broken"]
    assert {suite for suite, _ in broken} == {"cache/eternal"}
    assert ("cache/eternal", "an_entry_ends_with_its_ttl") in broken
    assert said["count"]["broken"] == len(broken)


def test_verify_asks_every_domain_and_every_driver_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qicore import suites
    from qicore_core import plugins

    found = {
        one.name: one
        for listed in plugins.index()
        for one in suites.of_plugin(listed, {}, str(tmp_path))
    }
    wanted = {"cache/memory", "cache/sqlite", "http/httpx", "http/stdlib", "llm/echo", "sql/sqlite"}
    assert wanted <= found.keys()
    assert all(found[name].contract is not None for name in wanted)
    sqlite: Any = found["sql/sqlite"].contract
    assert sqlite.url == f"sqlite:///{tmp_path}/laws.db"
    on_disk: Any = found["cache/sqlite"].contract
    assert on_disk.url == f"sqlite:///{tmp_path}/cache.db"
    httpx: Any = found["http/httpx"].contract
    assert httpx.client == "httpx"


def test_a_budget_that_is_missed_is_1(qicore: Qicore, monkeypatch: pytest.MonkeyPatch) -> None:
    from qicore import budgets
    from qicore.budgets import Measured

    figures = [
        Measured("fast", 1.0, 2.0, " ms"),
        Measured("no peer", None, 1.0, "x"),
        Measured("hits", 6.0, 5.0, " points", at_least=True),
    ]
    _without_measuring(monkeypatch)
    monkeypatch.setattr(budgets, "measure", lambda: iter(figures))
    monkeypatch.setenv("QICORE_PLUGINS", "")
    kept = qicore("verify")
    assert kept.status == 0, kept.out
    assert "fast      1.00 ms      <= 2 ms      kept" in kept.out
    assert "no peer                <= 1x        not run" in kept.out
    assert "hits      6.00 points  >= 5 points  kept" in kept.out
    assert "measured no peer: not run\n" in kept.err
    for missed in (
        Measured("slow", 3.0, 2.0, " ms"),
        Measured("misses", 4.0, 5.0, " points", at_least=True),
    ):
        figures.append(missed)
        failed = qicore("verify", "--json")
        assert failed.status == 1
        assert json.loads(failed.out)["budgets"][-1] == {
            "name": missed.name,
            "value": missed.value,
            "budget": missed.budget,
            "outcome": "missed",
        }
        figures.remove(missed)


def test_every_budget_has_a_figure() -> None:
    from qicore.budgets import core, rooms

    found = [*core.measure(), *rooms.measure()]
    assert {one.outcome for one in found} <= {"kept", "missed", "not run"}
    assert len(found) > 10


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from qicore.budgets import core, rooms

    for name in ("koda", "result", "safe_result", "returns.result", "structlog"):
        monkeypatch.setitem(sys.modules, name, None)
    found = [*core.measure(), *rooms.measure()]
    names = " ".join(one.name for one in found)
    for room in ("Result", "QiError", "@do", "retry", "config", "log", "memory"):
        assert room in names
    absent = [one for one in found if one.outcome == "not run"]
    assert len(absent) == 7
    assert all("not installed" in one.name for one in absent)


def _without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    from qicore import budgets

    monkeypatch.setattr(budgets, "measure", lambda: iter(()))
    for laws in (ResultLaws, ConfigLaws):
        monkeypatch.setattr(laws, "max_examples", 3)  # what the core promises has its own tests
