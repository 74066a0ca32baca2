"""PluginContract: a good distribution keeps every law, and each law catches a broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qicore_core.conformance.plugin import PluginContract

if TYPE_CHECKING:
    from conftest import Site

GOOD = """
from qicore_core.error import QiError
from qicore_core.hookspecs import hookimpl
from qicore_core.opening import Opening
from qicore_core.result import failure, success
from qicore_probe import PROBE, Probe

def open_it(url, settings, parts, /):
    async def start():
        if url.partition(":")[2]:
            return failure(QiError.validation("URL_INVALID", "cannot read it", url=url))
        return success(Probe("it"))
    return Opening(start)

@hookimpl
def qicore_register_adapters(registry):
    registry.add(PROBE, "it", open_it)
"""
REQUIRED = ("qicore-core>=0.1,<1", "qicore_probe[fast]>=0.1 ; python_version > '3'")
UNREADABLE = (
    "class Reply:\n"
    "    def __reduce__(self): return int, ('cannot be made again',)\n"
    + GOOD.replace("url=url", "reply=Reply()")
)
LAWS = sorted(PluginContract.laws())


def _install(
    site: Site,
    code: str = GOOD,
    *,
    name: str = "it",
    module: str = "acme_it.plugin",
    requires: tuple[str, ...] = REQUIRED,
    without: tuple[str, ...] = (),
    more: dict[str, str] | None = None,
) -> None:
    site.install_domain()
    files = {
        "acme_it/__init__.py": "",
        "acme_it/py.typed": "",
        "acme_it/plugin.py": code,
        "acme_it-1.0.dist-info/licenses/LICENSE": "MIT",
        **(more or {}),
    }
    kept = {path: text for path, text in files.items() if not path.endswith(without or ("-",))}
    points = {"qicore.probe": {name: module}, "qicore": {"it": "acme_it"}}
    site.install("acme-it", points=points, files=kept, requires=requires)


def _broken() -> dict[str, str]:
    class TestIt(PluginContract):
        distribution = "acme-it"

    contract: Any = TestIt()
    broken = {}
    for name in LAWS:
        try:
            getattr(contract, f"test_{name}")()
        except AssertionError as why:
            broken[name] = str(why)
        except Exception as why:  # noqa: BLE001  # a law says it by what the plugin raised
            broken[name] = repr(why)
    return broken


def test_a_good_distribution_keeps_every_law(site: Site) -> None:
    _install(site)
    assert _broken() == {}


def test_plugins_that_open_nothing_keep_every_law(site: Site) -> None:
    code = (
        "from qicore_core.hookspecs import hookimpl\n"
        "from qicore_core.kinds import FORMAT\n"
        "@hookimpl\n"
        "def qicore_register_adapters(registry): registry.add(FORMAT, 'xyz', dict)\n"
    )
    _install(site, code)
    files = {"acme_it/xyz.py": code}
    points = {"qicore.format": {"xyz": "acme_it.xyz"}}
    site.install("acme-it", points=points, files=files, requires=["qicore-core>=0.1,<1"])
    assert set(_broken()) == {"types_and_licence_come_along"}  # this one has no licence


@pytest.mark.parametrize(
    ("law", "options", "said"),
    [
        ("entry_points_are_well_named", {"name": "It"}, "probe/It: write lower case"),
        ("entry_points_are_well_named", {"module": "acme_it:main"}, "is not the name of a module"),
        ("the_core_is_required_in_a_range", {"requires": ()}, "require qicore-core>=X.Y,<(X+1)"),
        (
            "the_core_is_required_in_a_range",
            {"requires": ("qicore-core>=0.1",)},
            "not qicore-core>=0.1",
        ),
        (
            "what_is_promised_is_registered",
            {"code": GOOD.replace('"it", open_it', '"that", open_it')},
            "it registers probe/that",
        ),
        (
            "loading_imports_no_vendor",
            {"code": "import vendor\n" + GOOD, "more": {"vendor.py": ""}},
            "loading probe/it imports vendor",
        ),
        (
            "loading_imports_no_vendor",
            {
                "code": "import qicore_http\n" + GOOD,
                "requires": (*REQUIRED, "qicore-http>=0.1,<0.2"),
            },
            "loading probe/it imports qicore_http: import it in the function that opens",
        ),
        (
            "loading_imports_no_vendor",
            {"requires": ("qicore-core>=0.1,<1", "qicore-probe>=1 ; extra == 'all'")},
            "opens, or require the distribution of a domain\nassert not ['qicore_probe']",
        ),
        (
            "loading_imports_no_vendor",
            {"code": "import os; os._exit(5)"},
            "loading probe/it ends the process",
        ),
        (
            "a_url_of_nonsense_is_a_failure",
            {"code": GOOD.replace('url.partition(":")[2]', "False")},
            "opened a URL of nonsense",
        ),
        (
            "a_url_of_nonsense_is_a_failure",
            {"code": GOOD.replace("    async def", "    int(url)\n    async def", 1)},
            "ValueError",
        ),
        (
            "a_url_of_nonsense_is_a_failure",
            {"code": GOOD.replace("return Opening(start)", "return 5", 1)},
            "gave int, no Opening",
        ),
        (
            "its_errors_travel",
            {"code": UNREADABLE},
            "ValueError",
        ),
        ("types_and_licence_come_along", {"without": ("py.typed",)}, "acme_it has no py.typed"),
        ("types_and_licence_come_along", {"without": ("LICENSE",)}, "carries no licence file"),
    ],
)
def test_each_law_catches_what_breaks_it(
    site: Site, law: str, options: dict[str, Any], said: str
) -> None:
    _install(site, **options)
    if "_exit" in options.get("code", ""):  # it would end this process too
        _assert_only(law, said)
        return
    assert said in _broken()[law]


def _assert_only(law: str, said: str) -> None:
    class TestIt(PluginContract):
        distribution = "acme-it"

    contract: Any = TestIt()
    with pytest.raises(AssertionError, match=said):
        getattr(contract, f"test_{law}")()


def test_a_distribution_without_plugins_or_with_a_name_twice_is_caught(site: Site) -> None:
    info = site.install("acme-it", requires=["qicore-core>=0.1,<1"])
    assert "has no entry point" in _broken()["entry_points_are_well_named"]
    (info / "entry_points.txt").write_text("[qicore.probe]\nit = a\nit = b\n", "utf-8")
    from qicore_core import plugins

    plugins.reset()
    assert "stand twice: ['probe/it']" in _broken()["entry_points_are_well_named"]
