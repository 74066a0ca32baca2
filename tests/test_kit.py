"""The conformance kit: every law catches something broken, and the machinery keeps its word."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from qicore_core import conformance
from qicore_core.conformance import Contract, ResultLaws, law
from qicore_core.error import QiError, release
from qicore_core.opening import Opening
from qicore_core.result import Result, failure, success


class TestOurResult(ResultLaws): ...


# A Result of another make, right in everything, whose parts the table below breaks one at a time.


class Mini:
    def __init__(self, value: Any = None, error: QiError | None = None) -> None:
        self.value, self.error = value, error

    @classmethod
    def success(cls, value: Any) -> Mini:
        return cls(value)

    @classmethod
    def failure(cls, error: QiError) -> Mini:
        release(error)
        return cls(error=error)

    def is_failure(self) -> bool:
        return self.error is not None

    def is_success(self) -> bool:
        return self.error is None

    def __bool__(self) -> bool:
        return self.error is None

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Mini) and self.value == other.value
        return same and self.error == other.error

    __hash__ = None  # type: ignore[assignment]

    def match(self, *, on_success: Callable[[Any], Any], on_failure: Callable[[Any], Any]) -> Any:
        return on_success(self.value) if self.error is None else on_failure(self.error)

    def map(self, fn: Callable[[Any], Any]) -> Mini:
        return self.success(fn(self.value)) if self.error is None else self

    def map_error(self, fn: Callable[[Any], Any]) -> Mini:
        return self if self.error is None else self.failure(fn(self.error))

    def flat_map(self, fn: Callable[[Any], Any]) -> Any:
        return fn(self.value) if self.error is None else self

    def or_else(self, fn: Callable[[Any], Any]) -> Any:
        return self if self.error is None else fn(self.error)

    def recover(self, fn: Callable[[Any], Any]) -> Any:
        return self if self.error is None else self.success(fn(self.error))

    def filter(self, predicate: Callable[[Any], Any], error: QiError) -> Any:
        return self if self.error is not None or predicate(self.value) else self.failure(error)

    def unwrap(self) -> Any:
        return self.value

    def unwrap_error(self) -> Any:
        return self.error

    def unwrap_or(self, default: Any) -> Any:
        return self.value if self.error is None else default

    @classmethod
    def collect(cls, results: list[Mini]) -> Mini:
        failures = [r for r in results if r.error is not None]
        return failures[0] if failures else cls.success([r.value for r in results])

    @classmethod
    def accumulate(cls, results: list[Mini]) -> Mini:
        errors = [r.error for r in results if r.error is not None]
        return cls.failure(QiError.aggregate(errors)) if errors else cls.collect(results)

    @classmethod
    def from_try_catch(cls, fn: Callable[..., Any], *args: Any) -> Mini:
        try:
            return cls.success(fn(*args))
        except Exception as exception:  # noqa: BLE001  # as the door it stands for
            return cls.failure(QiError.from_exception(exception))

    @classmethod
    def do(cls, fn: Callable[..., Any]) -> Callable[..., Mini]:
        return lambda *args: cls.from_try_catch(fn, *args)


class MapsFalsyToNone(Mini):
    def map(self, fn: Callable[[Any], Any]) -> Mini:
        return super().map(lambda value: fn(value) or None)


class MapsTwice(Mini):
    def map(self, fn: Callable[[Any], Any]) -> Mini:
        return super().map(lambda value: fn(fn(value)))


class StopsAtNone(Mini):
    def flat_map(self, fn: Callable[[Any], Any]) -> Any:
        return self if self.value is None else super().flat_map(fn)


class Nests(Mini):
    def flat_map(self, fn: Callable[[Any], Any]) -> Any:
        return self.success(super().flat_map(fn))


class TagsEachStep(Mini):
    def flat_map(self, fn: Callable[[Any], Any]) -> Any:
        return super().flat_map(fn).map(lambda value: ("step", value))


class FalsyByItsValue(Mini):
    def __bool__(self) -> bool:
        return bool(self.value)


class Catches(Mini):
    def map(self, fn: Callable[[Any], Any]) -> Mini:
        return self.from_try_catch(super().map, fn)


class ForgetsWhy(Mini):
    def map(self, fn: Callable[[Any], Any]) -> Mini:
        return self.failure(QiError.unknown("FAILED", "it failed")) if self.error else self


class AlwaysRescues(Mini):
    def recover(self, fn: Callable[[Any], Any]) -> Any:
        return self.success(fn(self.error))


class CollectsBackwards(Mini):
    @classmethod
    def collect(cls, results: list[Mini]) -> Mini:
        return super().collect(results[::-1]).map(sorted_by_text)


class CollectsTheLast(Mini):
    @classmethod
    def collect(cls, results: list[Mini]) -> Mini:
        return super().collect(results[::-1]).map(lambda values: values[::-1])


class AccumulatesBackwards(Mini):
    @classmethod
    def accumulate(cls, results: list[Mini]) -> Mini:
        return super().accumulate(results).map(lambda values: values[::-1])


class DropsEqualErrors(Mini):
    @classmethod
    def accumulate(cls, results: list[Mini]) -> Mini:
        return (
            super()
            .accumulate(results)
            .map_error(lambda error: QiError.aggregate(dict.fromkeys(error.errors)))
        )


class KeepsFrames(Mini):
    @classmethod
    def failure(cls, error: QiError) -> Mini:
        return cls(error=error)


def sorted_by_text(values: list[Any]) -> list[Any]:
    return sorted(values, key=repr)


CAUGHT = {
    "functor_identity": MapsFalsyToNone,
    "functor_composition": MapsTwice,
    "monad_left_identity": StopsAtNone,
    "monad_right_identity": Nests,
    "monad_associativity": TagsEachStep,
    "what_is_made_is_what_is_found": FalsyByItsValue,
    "a_bug_passes_map_and_flat_map": Catches,
    "a_failure_absorbs": ForgetsWhy,
    "a_success_needs_no_rescue": AlwaysRescues,
    "collect_keeps_the_order": CollectsBackwards,
    "collect_gives_the_first_failure": CollectsTheLast,
    "accumulate_keeps_the_order": AccumulatesBackwards,
    "accumulate_loses_no_error": DropsEqualErrors,
    "no_frame_is_held": KeepsFrames,
}


def laws_of(kind: type[Mini]) -> type[ResultLaws]:
    parts = ("success", "failure", "collect", "accumulate", "from_try_catch", "do")
    return type(kind.__name__, (ResultLaws,), {part: getattr(kind, part) for part in parts})


TestAnotherResult = laws_of(Mini)


def hold(contract: type[Contract[Any]], name: str) -> None:
    getattr(contract(), f"test_{name}")()


def test_for_each_law_there_is_something_broken() -> None:
    assert list(CAUGHT) == list(ResultLaws.laws())


@pytest.mark.parametrize("name", CAUGHT)
def test_a_law_catches_what_is_broken(name: str) -> None:
    broken = laws_of(CAUGHT[name])
    with pytest.raises((AssertionError, ZeroDivisionError)) as caught:
        hold(broken, name)
    assert caught.value.__notes__[0].startswith(f"{broken.__name__} breaks the law {name!r}: ")


# The machinery, shown by a contract of stores that keep one value for a key.


class Store:
    """Keeps what it is given, and writes down what happens to it."""

    def __init__(self, log: list[tuple[str, int]]) -> None:
        self.kept: dict[str, int] = {}
        self.log = log
        self.note("open")

    def note(self, what: str) -> None:
        self.log.append((what, id(asyncio.get_running_loop())))

    async def put(self, key: str, value: int) -> Result[None]:
        self.kept[key] = value
        return success()

    async def get(self, key: str) -> Result[int | None]:
        return success(self.kept.get(key))

    async def close(self) -> None:
        self.note("close")


class Forgetful(Store):
    async def get(self, key: str) -> Result[int | None]:
        return success(self.kept.get(key) or None)


class StoreContract(Contract[Store], abstract=True):
    kind: type[Store] = Store
    log: ClassVar[list[tuple[str, int]]] = []

    def opening(self) -> Opening[Store]:
        async def start() -> Result[Store]:
            return success(self.kind(self.log))

        return Opening(start)

    @law(key=st.text(max_size=3), value=st.integers())
    async def what_was_put_is_found(self, store: Store, key: str, value: int) -> None:
        """What get gives is what was put.

        Whatever else was put.
        """
        assert await store.get(key) == success(None), "a fresh store is empty"
        assert await store.put(key, value) == success(None)
        assert await store.get(key) == success(value)

    @law()
    async def nothing_is_found_in_an_empty_store(self, store: Store) -> None:
        """What was never put is not there."""
        assert await store.get("k") == success(None)

    @law(value=st.integers())
    def a_law_may_do_without_a_store(self, value: int) -> None:
        """It needs none."""
        assert value == value + 0


def contract(**attributes: Any) -> type[StoreContract]:
    return type("TestIt", (StoreContract,), {"log": [], **attributes})


class TestStore(StoreContract): ...


def test_an_abstract_contract_has_laws_and_no_tests() -> None:
    assert list(StoreContract.laws()) == [
        "what_was_put_is_found",
        "nothing_is_found_in_an_empty_store",
        "a_law_may_do_without_a_store",
    ]
    for abstract in (Contract, StoreContract, ResultLaws):
        assert [name for name in dir(abstract) if name.startswith("test")] == []


def test_each_class_gets_tests_of_its_own() -> None:
    one, other = contract(), contract()
    heir = type("TestHeir", (one,), {})
    tests = {vars(kind)["test_what_was_put_is_found"] for kind in (one, other, heir)}
    assert len(tests) == 3
    for kind in (one, other, heir, one):
        hold(kind, "what_was_put_is_found")


def test_each_example_has_a_fresh_adapter_closed_on_the_loop_that_opened_it() -> None:
    kind = contract(max_examples=7)
    hold(kind, "what_was_put_is_found")
    assert [what for what, _ in kind.log] == ["open", "close"] * 7
    for opened, closed in zip(kind.log[::2], kind.log[1::2], strict=True):
        assert opened[1] == closed[1]


def test_a_law_without_arguments_runs_once_and_one_without_adapter_opens_none() -> None:
    kind = contract()
    hold(kind, "nothing_is_found_in_an_empty_store")
    assert [what for what, _ in kind.log] == ["open", "close"]
    hold(kind, "a_law_may_do_without_a_store")
    assert len(kind.log) == 2


def test_a_law_that_fails_closes_the_adapter_and_says_what_it_demands() -> None:
    kind = contract(kind=Forgetful)
    with pytest.raises(AssertionError) as caught:
        hold(kind, "what_was_put_is_found")
    notes = "\n".join(caught.value.__notes__)
    assert "TestIt breaks the law 'what_was_put_is_found': What get gives is what was" in notes
    assert "else was put" not in notes  # the first paragraph is the demand
    assert "value=0" in notes  # and this the smallest example
    assert len(kind.log) % 2 == 0
    assert kind.log[-1][0] == "close"


def test_an_adapter_that_does_not_open_says_why() -> None:
    def opening(self: object) -> Opening[Store]:
        async def start() -> Result[Store]:
            return failure(QiError.unavailable("DOWN", "it is down"))

        return Opening(start)

    with pytest.raises(QiError, match="it is down"):
        hold(contract(opening=opening), "nothing_is_found_in_an_empty_store")


def test_a_contract_without_an_opening_says_what_it_needs() -> None:
    class TestNothing(Contract[Store]):
        @law()
        async def it_opens(self, store: Store) -> None:
            """It opens."""

    with pytest.raises(NotImplementedError, match="TestNothing needs `def opening"):
        TestNothing().test_it_opens()  # type: ignore[attr-defined]


def test_a_class_may_add_laws_of_its_own() -> None:
    class TestMore(StoreContract):
        @law()
        async def one_more(self, store: Store) -> None:
            """It holds one more."""
            raise ZeroDivisionError

    assert list(TestMore.laws())[-1] == "one_more"
    with pytest.raises(ZeroDivisionError):
        hold(TestMore, "one_more")


def quiet(self: object) -> None: ...


def quiet_law(self: object) -> None:
    """Nothing."""


class Silencer:
    nothing_is_found_in_an_empty_store = quiet


@pytest.mark.parametrize(
    ("bases", "attributes"),
    [
        ((StoreContract,), {"nothing_is_found_in_an_empty_store": quiet}),
        ((StoreContract,), {"test_nothing_is_found_in_an_empty_store": quiet}),
        ((Silencer, StoreContract), {}),
        ((TestStore,), {"test_nothing_is_found_in_an_empty_store": quiet}),
        (
            (StoreContract,),
            {"nothing_is_found_in_an_empty_store": law()(quiet_law)},
        ),
    ],
    ids=["law", "test", "mixin", "test of an heir", "another law"],
)
def test_a_law_cannot_be_overridden(bases: tuple[type, ...], attributes: dict[str, Any]) -> None:
    said = r"TestSly overrides the law 'nothing_is_found_in_an_empty_store'.*unsupported = "
    with pytest.raises(TypeError, match=said):
        type("TestSly", bases, attributes)


def test_unsupported_names_laws_that_exist() -> None:
    with pytest.raises(TypeError, match=r"'what_was_put'; did you mean 'what_was_put_is_found'\?"):
        contract(unsupported={"what_was_put": "no"})
    with pytest.raises(TypeError, match=r"names no law: 'x'$"):
        contract(unsupported={"x": "no"})


def test_an_unsupported_law_is_expected_to_fail_strictly() -> None:
    kind = contract(unsupported={"what_was_put_is_found": "it is forgetful"})
    (mark,) = vars(kind)["test_what_was_put_is_found"].pytestmark
    assert (mark.name, mark.kwargs) == ("xfail", {"strict": True, "reason": "it is forgetful"})
    assert not hasattr(vars(kind)["test_nothing_is_found_in_an_empty_store"], "pytestmark")


@pytest.mark.parametrize("shrunk", [True, False])
def test_an_example_that_breaks_a_law_is_made_small_unless_the_class_says_no(shrunk: bool) -> None:
    seen: list[int] = []

    class Small(Contract[Any]):
        shrinks = shrunk
        max_examples = 50

        @law(n=st.integers(1000))
        def it_is_small(self, n: int) -> None:
            """Numbers are small."""
            seen.append(n)
            assert n < 1000

    with pytest.raises(AssertionError):
        Small().test_it_is_small()  # type: ignore[attr-defined]
    assert len(set(seen)) == 1 or shrunk


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_without_the_extra_the_kit_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "try: import qicore_core.conformance\n"
        "except ModuleNotFoundError as error: print(error.name, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    said = f"the kit needs {missing}: pip install 'qicore-core[testing]'"
    assert (done.stdout, done.stderr) == (f"{missing} {said}\n", "")


def test_a_law_says_what_it_demands_and_is_no_test_by_name() -> None:
    with pytest.raises(TypeError, match="'quiet' needs a docstring"):
        law()(quiet)
    with pytest.raises(TypeError, match="'test_x' needs another name"):

        @law()
        def test_x(self: object) -> None:
            """Nothing."""


FOUR_LINES = """
from qicore_core.conformance import ResultLaws
from tests_of_a_stranger import StoreContract

class TestWhole(StoreContract): ...
class TestHalf(StoreContract):
    forgets = True
    unsupported = {"what_was_put_is_found": "it is forgetful"}
class TestTooModest(StoreContract):
    unsupported = {"what_was_put_is_found": "it is modest"}
class TestBroken(StoreContract):
    forgets = True
class TestBrokenResult(ResultLaws):
    collect = staticmethod(lambda results: ResultLaws.collect(results[:3]))
"""
STRANGER = """
from hypothesis import strategies as st
from qicore_core.conformance import Contract, law
from qicore_core.opening import Opening
from qicore_core.result import success

class Store(dict):
    async def close(self): ...

class StoreContract(Contract, abstract=True):
    forgets = False
    def opening(self):
        async def start():
            return success(Store())
        return Opening(start)
    @law(value=st.integers())
    async def what_was_put_is_found(self, store, value):
        '''What was put is found.'''
        store["k"] = value
        assert (store["k"] if value < 1000 or not self.forgets else None) == value
"""


def test_in_a_run_of_pytest_it_tells_what_holds_what_is_excused_and_what_is_broken(
    tmp_path: Path,
) -> None:
    (tmp_path / "tests_of_a_stranger.py").write_text(STRANGER)
    (tmp_path / "test_four_lines.py").write_text(FOUR_LINES)
    flags = ["-p", "no:cacheprovider", "-rA", "-W", "error", "--strict-markers"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, "test_four_lines.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    out = run.stdout
    assert "PASSED test_four_lines.py::TestWhole::test_what_was_put_is_found" in out
    assert "XFAIL test_four_lines.py::TestHalf::test_what_was_put_is_found - it is forgetf" in out
    assert "FAILED test_four_lines.py::TestTooModest::test_what_was_put_is_found" in out
    assert "[XPASS(strict)] it is modest" in out
    assert "FAILED test_four_lines.py::TestBroken::test_what_was_put_is_found" in out
    assert "TestBroken breaks the law 'what_was_put_is_found': What was put is found." in out
    assert "value=1000," in out  # the smallest example, named
    assert "TestBrokenResult breaks the law 'collect_keeps_the_order'" in out
    # the assertions of a law are rewritten: both sides are shown
    assert "E       assert Success([None, None, None]) == Success([None, None, None, None])" in out


def test_the_kit_names_what_it_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_from_file_location("kit", conformance.__file__)
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(ModuleNotFoundError, match="the kit needs pytest: pip install"):
        spec.loader.exec_module(module_from_spec(spec))
