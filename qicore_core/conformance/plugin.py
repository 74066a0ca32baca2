"""What every distribution with plugins keeps; `qicore plugins check` runs it on one."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
import json
import pickle
import re
import subprocess
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from ..error import QiError
from ..kinds import Kind, Parts
from ..opening import Opening
from ..plugins import PluginPolicy, index, load
from ..plugins.index import normal
from ..plugins.version import range_in
from ..result import Failure, Success
from .contract import Contract, law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar, Final

    from ..plugins import Listed, Loaded

__all__ = ["PluginContract"]

_NONSENSE: Final = "://user:pass word@[no-host:no-port/%zz?=&=\x00"
_OPEN_TIMEOUT: Final = 30.0

# Prints what loading one plugin adds to sys.modules, in a process where nothing else has.
_LOAD: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from qicore_core.plugins import PluginPolicy, load
before = set(sys.modules)
load(sys.argv[2], sys.argv[3], PluginPolicy(prefer={sys.argv[4]: sys.argv[5]}))
print(json.dumps(sorted(set(sys.modules) - before)))
"""


class PluginContract(Contract["Any"], abstract=True):
    """The laws of an installed distribution: its manifest, its manners, its metadata.

    Four lines of test prove it; its domain's contract proves what it opens.

    Attributes:
        distribution: its name.

    Example:
        ```python
        from qicore_core.conformance import PluginContract

        class TestPlugin(PluginContract):
            distribution = "acme-duck"
        ```
    """

    distribution: ClassVar[str]

    @law()
    def entry_points_are_well_named(self) -> None:
        """Each is `name = package.module` in `qicore` or `qicore.<kind>`, lower case, once."""
        labels = [listed.label for listed in self._listed()]
        assert labels, f"{self.distribution} has no entry point in a group `qicore...`"
        twice = {label for label in labels if labels.count(label) > 1}
        assert not twice, f"these stand twice: {sorted(twice)}"
        for listed in self._listed():
            for word in (listed.kind, listed.name):
                plain = word.replace("-", "").replace("+", "").replace(".", "").replace("_", "")
                assert not word or (plain.isalnum() and word == word.lower()), (
                    f"{listed.label}: write lower case letters, digits, and - + . _ between them"
                )
            assert all(part.isidentifier() for part in listed.module.split(".")), (
                f"{listed.label}: {listed.module!r} is not the name of a module"
            )

    @law()
    def the_core_is_required_in_a_range(self) -> None:
        """Requires-Dist says from which version of qicore-core, and up to which."""
        wanted = range_in(distribution(self.distribution).requires or [], "qicore-core")
        assert ">=" in wanted and "<" in wanted.replace("<=", "<"), (  # noqa: PT018  # one law
            f"require qicore-core>=X.Y,<(X+1), not qicore-core{wanted}: "
            "a later core may break it, and then it is refused before it is imported"
        )

    @law()
    def what_is_promised_is_registered(self) -> None:
        """Each entry point loads, and its hook registers the name under its kind."""
        for listed in self._listed():
            if listed.kind:
                self._load(listed)

    @law()
    def loading_imports_no_vendor(self) -> None:
        """Before something is opened, what is there is the core, its own packages and its domains.

        A domain is where the Kind of an entry point comes from; Requires-Dist names it.
        """
        for listed in self._listed():
            if listed.kind:
                found = {name.partition(".")[0] for name in _modules_of(listed)}
                ours = {"qicore_core"} | self._packages() | self._domains()
                foreign = sorted(found - ours - sys.stdlib_module_names)
                assert not foreign, (
                    f"loading {listed.label} imports {', '.join(foreign)}: import it in the "
                    "function that opens, or require the distribution of a domain"
                )

    @law()
    def a_url_of_nonsense_is_a_failure(self) -> None:
        """A factory that cannot read its URL gives a Failure; it neither raises nor accepts."""
        list(self._refusals())  # each is asserted to be one

    @law()
    def its_errors_travel(self) -> None:
        """An error of its own survives pickle and JSON."""
        for error in self._refusals():
            assert pickle.loads(pickle.dumps(error)) == error  # noqa: S301  # our own bytes
            text = json.dumps(error.to_dict())
            assert QiError.from_dict(json.loads(text)).to_dict() == error.to_dict()

    @law()
    def types_and_licence_come_along(self) -> None:
        """The wheel has a `py.typed` in each package, and the text of its licence."""
        for package in self._packages():
            spec = find_spec(package)
            folders = (spec and spec.submodule_search_locations) or []
            for folder in folders:
                assert (Path(folder) / "py.typed").exists(), f"{package} has no py.typed"
        about = distribution(self.distribution)
        files = [Path(str(file)) for file in about.files or []]
        licences = [
            file for file in files if "licen" in str(file).lower() or file.stem == "COPYING"
        ]
        assert licences or about.metadata.get_all("License-File"), (
            f"the wheel of {self.distribution} carries no licence file"
        )

    def _listed(self) -> list[Listed]:
        wanted = normal(self.distribution)
        return [listed for listed in index() if listed.distribution == wanted]

    def _load(self, listed: Listed) -> Loaded:
        policy = PluginPolicy(prefer={listed.label: listed.distribution})
        loaded = load(listed.kind, listed.name, policy)
        assert isinstance(loaded, Success), loaded.error.to_string()
        return loaded.value

    def _refusals(self) -> Iterator[QiError]:
        """Open a URL of nonsense by each factory of an adapter; give the errors."""
        for listed in self._listed():
            loaded = self._load(listed) if listed.kind else None
            if loaded is not None and isinstance(loaded.kind, Kind):
                yield asyncio.run(_refusal(loaded))

    def _packages(self) -> set[str]:
        return {listed.module.partition(".")[0] for listed in self._listed()}

    def _domains(self) -> set[str]:
        """Give the packages of the Kinds it registers under, as far as they are required."""
        lines = distribution(self.distribution).requires or []
        required = {normal(re.split(r"[^\w.-]", line)[0]) for line in lines if "extra" not in line}
        kinds = [self._load(listed).kind for listed in self._listed() if listed.kind]
        homes = {
            kind.open_client.__module__.partition(".")[0]
            for kind in kinds
            if isinstance(kind, Kind)
        }
        return {home for home in homes if normal(home) in required}


def _modules_of(listed: Listed) -> list[str]:
    command = [sys.executable, "-c", _LOAD, json.dumps(sys.path), listed.kind, listed.name]
    command += [listed.label, listed.distribution]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert done.returncode == 0, f"loading {listed.label} ends the process:\n{done.stderr}"
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _refusal(loaded: Loaded) -> QiError:
    """Open a URL of nonsense; give the error of the Failure that must come of it."""
    label = loaded.listed.label
    try:
        opening = loaded.factory(loaded.listed.name + _NONSENSE, {}, Parts())
        assert isinstance(opening, Opening), f"{label} gave {type(opening).__name__}, no Opening"
        async with asyncio.timeout(_OPEN_TIMEOUT):
            opened: Any = await opening
    except Exception as exception:
        exception.add_note(f"{label} raised where a Failure was due")
        raise
    if isinstance(opened, Success):
        await opened.value.close()
    assert isinstance(opened, Failure), f"{label} opened a URL of nonsense: {opened!r}"
    return opened.error
