"""What each verb shows and with which status it exits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    status, out, _ = qicore("plugins", "check", name)
    assert status == 0, out
    assert out.startswith("acme-duck:\n")
    assert "loading imports no vendor        kept" in out


def test_check_says_which_law_is_broken_and_why(qicore: Qicore, install: Any) -> None:
    install("acme-duck", POINTS, FILES, "qicore-core")
    status, out, _ = qicore("plugins", "check", "duck")
    assert status == 1
    assert "the core is required in a range  broken" in out
    assert "require qicore-core>=X.Y,<(X+1)" in out


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
    assert "did you mean db.host?" in missing.err


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
    assert err == "error: DUCK_URL: a duck's URL is duck:\nhint: duck:\n"
    file.write_text("[other]\n")
    empty = qicore("health", str(file))
    assert empty == (0, "nothing that is configured has a health check\n", "")
    assert qicore("health", str(tmp_path / "no.toml")).status == 78


# verify: the whole takes seconds, so only what is particular is run here


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
    contract = (
        "from qicore_core.conformance import Contract, law\n"
        "import pytest\n"
        "from .plugin import open_duck\n"
        "__all__ = ['DuckContract']\n"
        "class DuckContract(Contract, abstract=True):\n"
        "    url = ''\n"
        "    def opening(self): return open_duck(self.url, {})\n"
        "    @law()\n"
        "    async def it_is_well(self, duck):\n"
        "        'A duck is well.'\n"
        "        assert not duck.ill, 'it is ill'\n"
        "    @law()\n"
        "    def it_flies(self):\n"
        "        'A duck flies.'\n"
        "        pytest.skip('no sky here')\n"
    )
    duck("acme-duck", POINTS, {**FILES, "acme_duck/conformance.py": contract})
    monkeypatch.setenv("QICORE_PLUGINS", "acme-duck")
    status, out, _ = qicore("verify")
    assert status == 0, out
    assert ["duck/duck", "1", "of", "2", "not", "run"] in _rows(out)
    assert "duck/duck it flies:\n    no sky here" in out
    ill = qicore("verify", "--url", "duck/duck=duck:ill")
    assert ill.status == 1
    assert ["duck/duck", "0", "of", "2", "broken"] in _rows(ill.out)
    assert "AssertionError: it is ill" in ill.out
    gone = qicore("verify", "--url", "duck/duck=duck:far")
    assert "give its address by --url duck/duck=URL" in gone.out


def test_a_budget_that_is_missed_is_1(qicore: Qicore, monkeypatch: pytest.MonkeyPatch) -> None:
    from qicore import budgets
    from qicore.budgets import Measured

    figures = [Measured("fast", 1.0, 2.0, " ms"), Measured("no peer", None, 1.0, "x")]
    monkeypatch.setattr(budgets, "measure", lambda: iter(figures))
    monkeypatch.setenv("QICORE_PLUGINS", "")
    kept = qicore("verify")
    assert kept.status == 0, kept.out
    assert "fast      1.00 ms  <= 2 ms  kept" in kept.out
    assert "no peer            <= 1x    not run" in kept.out
    figures.append(Measured("slow", 3.0, 2.0, " ms"))
    assert qicore("verify").status == 1


def _without_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    from qicore import budgets

    monkeypatch.setattr(budgets, "measure", lambda: iter(()))
