"""The laws of Result, on both branches, and what its shape promises."""

from __future__ import annotations

import asyncio
import copy
import gc
import importlib.util
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core import result as module
from qicore_core.attempt import do
from qicore_core.error import QiError
from qicore_core.result import Failure, Result, Success, failure, success, unwrap

# Under `python -X dev`: what Hypothesis draws and hands to no test is looked at by nobody.
pytestmark = pytest.mark.filterwarnings("ignore:a Failure was dropped unread:ResourceWarning")

ERROR = QiError.timeout("NO_ANSWER", "no answer in 5 s")
OTHER = QiError.internal("OTHER", "said")

VALUES = st.integers() | st.text() | st.none() | st.tuples(st.integers())
ERRORS = st.builds(QiError.internal, st.sampled_from(["A", "B"]), st.text(min_size=1))
RESULTS: st.SearchStrategy[Any] = st.builds(success, VALUES) | st.builds(failure, ERRORS)
FUNCTIONS = st.functions(like=lambda _: None, returns=VALUES, pure=True)
STEPS = st.functions(like=lambda _: None, returns=RESULTS, pure=True)
ON_ERRORS = st.functions(like=lambda _: None, returns=ERRORS, pure=True)


def same(value: object) -> Any:
    return value


class TestLaws:
    @given(RESULTS)
    def test_map_keeps_identity(self, result: Any) -> None:
        assert result.map(same) == result
        assert result.map_error(same) == result

    @given(RESULTS, FUNCTIONS, FUNCTIONS)
    def test_map_keeps_composition(self, result: Any, f: Any, g: Any) -> None:
        assert result.map(f).map(g) == result.map(lambda value: g(f(value)))

    @given(VALUES, STEPS)
    def test_success_is_identity_on_the_left(self, value: object, step: Any) -> None:
        assert success(value).flat_map(step) == step(value)

    @given(RESULTS)
    def test_success_is_identity_on_the_right(self, result: Any) -> None:
        assert result.flat_map(success) == result

    @given(RESULTS, STEPS, STEPS)
    def test_flat_map_is_associative(self, result: Any, f: Any, g: Any) -> None:
        assert result.flat_map(f).flat_map(g) == result.flat_map(lambda v: f(v).flat_map(g))

    @given(RESULTS, FUNCTIONS)
    def test_map_is_flat_map_of_a_success(self, result: Any, f: Any) -> None:
        assert result.map(f) == result.flat_map(lambda value: success(f(value)))

    @given(RESULTS, STEPS)
    def test_flat_map_is_map_then_flatten(self, result: Any, step: Any) -> None:
        assert result.map(step).flatten() == result.flat_map(step) == result.and_then(step)

    @given(ERRORS, STEPS)
    def test_failure_is_identity_for_or_else(self, error: QiError, step: Any) -> None:
        assert failure(error).or_else(step) == step(error)

    @given(RESULTS)
    def test_or_else_failure_changes_nothing(self, result: Any) -> None:
        assert result.or_else(failure) == result

    @given(RESULTS, FUNCTIONS)
    def test_recover_is_or_else_of_a_success(self, result: Any, f: Any) -> None:
        assert result.recover(f) == result.or_else(lambda error: success(f(error)))
        assert result.recover(f).unwrap() == result.unwrap_or_else(f)

    @given(RESULTS, VALUES)
    def test_unwrap_or_is_the_value_or_the_default(self, result: Any, default: object) -> None:
        assert result.unwrap_or(default) == result.match(
            on_success=same, on_failure=lambda _: default
        )

    @given(RESULTS, ON_ERRORS)
    def test_map_error_is_seen_by_the_failure_alone(self, result: Any, f: Any) -> None:
        assert result.map_error(f) == (result or failure(f(result.error)))

    @given(RESULTS, FUNCTIONS)
    def test_a_map_that_raises_nothing_is_a_map_try(self, result: Any, f: Any) -> None:
        assert result.map_try(f) == result.map(f)

    @given(RESULTS, RESULTS)
    def test_equal_results_have_equal_hashes_and_a_truth(self, one: Any, other: Any) -> None:
        assert one != other or hash(one) == hash(other)
        assert bool(one) == one.is_success() == (not one.is_failure())
        assert one.to_optional() == one.unwrap_or(None)

    @given(RESULTS)
    def test_pickle_and_copy_keep_equality(self, result: Any) -> None:
        for other in (pickle.loads(pickle.dumps(result)), copy.copy(result), copy.deepcopy(result)):
            assert other == result
            assert type(other) is type(result)

    @given(RESULTS, STEPS)
    def test_the_async_forms_do_as_the_others(self, result: Any, step: Any) -> None:
        async def later(value: object) -> Any:
            return step(value)

        async def main() -> None:
            assert await result.map_async(later) == result.map(step)
            assert await result.flat_map_async(later) == result.flat_map(step)
            assert await result.or_else_async(later) == result.or_else(step)

        asyncio.run(main())


def forbidden(*_: object) -> Any:
    raise AssertionError("this branch must not call it")


class TestBranches:
    """Every method, on the branch where it does nothing and on the one where it does."""

    @pytest.mark.parametrize(
        "call",
        [
            lambda r: r.map_error(forbidden), lambda r: r.or_else(forbidden),
            lambda r: r.recover(forbidden),
            lambda r: r.inspect_error(forbidden), lambda r: r.filter(lambda _: True, forbidden),
            lambda r: asyncio.run(r.or_else_async(forbidden)), lambda r: r.inspect(same),
        ],
    )  # fmt: skip
    def test_a_success_is_given_back_as_it_is(self, call: Callable[[Any], object]) -> None:
        result = success(5)
        assert call(result) is result

    @pytest.mark.parametrize(
        "call",
        [
            lambda r: r.map(forbidden), lambda r: r.map_try(forbidden),
            lambda r: r.flat_map(forbidden),
            lambda r: r.and_then(forbidden), lambda r: r.filter(forbidden, forbidden),
            lambda r: r.flatten(),
            lambda r: r.inspect(forbidden), lambda r: r.inspect_error(same),
            lambda r: r.or_else(lambda _: r),
            lambda r: asyncio.run(r.map_async(forbidden)),
            lambda r: asyncio.run(r.flat_map_async(forbidden)),
        ],
    )  # fmt: skip
    def test_a_failure_is_given_back_as_it_is(self, call: Callable[[Any], object]) -> None:
        result = failure(ERROR)
        assert call(result) is result
        assert result.error is ERROR

    def test_a_success_tells_what_it_is(self) -> None:
        result = success(5)
        assert (result.value, result.unwrap(), unwrap(result), bool(result)) == (5, 5, 5, True)
        assert (result.is_success(), result.is_failure()) == (True, False)
        assert (result.unwrap_or(0), result.unwrap_or_else(forbidden), result.to_optional()) == (
            5,
            5,
            5,
        )
        assert result.match(on_success=str, on_failure=forbidden) == "5"
        assert repr(result) == "Success(5)"
        with pytest.raises(ValueError, match="unwrap_error on a Success"):
            result.unwrap_error()

    def test_a_failure_tells_what_it_is(self) -> None:
        result: Any = failure(ERROR)
        assert (result.error, result.unwrap_error(), bool(result)) == (ERROR, ERROR, False)
        assert (result.is_success(), result.is_failure()) == (False, True)
        assert (result.unwrap_or(0), result.unwrap_or_else(same), result.to_optional()) == (
            0,
            ERROR,
            None,
        )
        assert result.match(on_success=forbidden, on_failure=lambda e: e.code) == "NO_ANSWER"
        assert repr(result) == f"Failure({ERROR!r})"

    def test_effects_are_seen(self) -> None:
        seen: list[object] = []
        success(5).inspect(seen.append)
        assert failure(ERROR).inspect_error(seen.append).error is ERROR
        assert seen == [5, ERROR]

    def test_filter_fails_with_an_error_or_what_makes_one(self) -> None:
        assert success(5).filter(lambda n: n > 9, OTHER) == failure(OTHER)
        made = success(5).filter(lambda n: n > 9, lambda n: QiError.internal("SMALL", f"{n}"))
        assert made.unwrap_error().message == "5"

    def test_flatten_needs_a_result(self) -> None:
        assert success(success(5)).flatten() == success(5)
        with pytest.raises(TypeError, match="needs a Result inside, got int"):
            success(5).flatten()  # type: ignore[misc]  # the point

    def test_map_and_flat_map_never_catch(self) -> None:
        with pytest.raises(ZeroDivisionError):
            success(0).map(lambda n: 1 // n)
        with pytest.raises(ZeroDivisionError):
            success(0).flat_map(lambda n: success(1 // n))

    def test_map_try_catches_what_it_is_told(self) -> None:
        result = success("x").map_try(int, catch=ValueError, code="NOT_A_NUMBER")
        assert result.unwrap_error().code == "NOT_A_NUMBER"
        assert success("1").map_try(int) == success(1)
        with pytest.raises(ValueError, match="invalid literal"):
            success("x").map_try(int, catch=KeyError)

    def test_map_try_gives_a_qi_error_as_it_is(self) -> None:
        def fails(_: object) -> None:
            raise ERROR

        assert success(1).map_try(fails, catch=KeyError).unwrap_error() is ERROR

    @pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
    def test_map_try_lets_cancellation_pass(self, kind: type[BaseException]) -> None:
        def stops(_: object) -> None:
            raise kind

        with pytest.raises(kind):
            success(1).map_try(stops, catch=BaseException)  # type: ignore[arg-type]  # the point


def _awaited(result: Any) -> Any:
    async def gives() -> Any:
        return result

    unwrapping = unwrap(gives())
    try:
        unwrapping.send(None)  # a coroutine, which never waits
    except StopIteration as done:
        return done.value


class TestUnwrap:
    def test_raises_the_same_error_without_a_past(self) -> None:
        cause = OSError("gone")
        error = QiError.internal("CODE", "said", cause=cause, hint="h", source="s", a=1)
        error.add_note("seen")
        with pytest.raises(QiError) as first:
            failure(error).unwrap()
        with pytest.raises(QiError) as second:
            unwrap(failure(error))
        assert first.value == second.value == error
        assert first.value.to_dict() == error.to_dict()
        assert first.value.cause is first.value.__cause__ is cause
        assert first.value.__notes__ == ["seen"]
        assert [len(caught.traceback) for caught in (first, second)] == [2, 2]

    @pytest.mark.parametrize("spelling", [Failure.unwrap, unwrap, lambda held: _awaited(held)])
    def test_leaves_no_frame_and_no_context_in_the_failure(self, spelling: Any) -> None:
        class Local:
            pass

        held, gone = failure(QiError.network("DOWN", "down")), []

        def use() -> None:
            mine = Local()
            gone.append(weakref.ref(mine))
            try:
                raise KeyError("card 4242")
            except KeyError:
                try:
                    spelling(held)
                except QiError:
                    pass  # handled: nobody looks at the Failure again

        use()
        gc.collect()
        assert gone[0]() is None
        assert (held.error.__traceback__, held.error.__context__) == (None, None)
        with pytest.raises(QiError) as caught:
            spelling(held)
        assert caught.value.__context__ is None

    def test_takes_an_awaitable_of_a_result(self) -> None:
        async def gives(result: Any) -> Any:
            return result

        assert asyncio.run(unwrap(gives(success(5)))) == 5
        with pytest.raises(QiError) as caught:
            asyncio.run(unwrap(gives(failure(ERROR))))
        assert caught.value == ERROR
        with pytest.raises(
            TypeError, match="unwrap needs a Result or an awaitable of one, got int"
        ):
            asyncio.run(unwrap(gives(5)))


class TestShape:
    def test_success_of_nothing_is_a_success(self) -> None:
        assert success() == success(None) == Result.success()  # type: ignore[attr-defined]
        assert bool(success())

    def test_the_guide_s_spelling_works(self) -> None:
        spelt: Any = module.Result
        assert spelt.success(5) == success(5)
        assert spelt.failure(ERROR) == failure(ERROR)
        assert spelt.from_try_catch(int, "7") == success(7)
        assert spelt.from_try_catch(int, "11", base=2) == success(3)
        assert spelt.from_try_catch(int, "x", code="MINE").error.code == "MINE"
        assert spelt[int].__origin__ is spelt

    @pytest.mark.parametrize("kind", [Success, Failure])
    def test_the_class_takes_no_value(self, kind: Any) -> None:
        with pytest.raises(TypeError):
            kind(5)

    @pytest.mark.parametrize(
        "given", [5, None, "x", ValueError("x"), KeyError, QiError, success(5)], ids=str
    )
    def test_a_failure_holds_a_qi_error(self, given: Any) -> None:
        with pytest.raises(TypeError, match="a Failure holds a QiError, got"):
            failure(given)

    @pytest.mark.parametrize("base", [module.Result, Success, Failure], ids=lambda b: b.__name__)
    def test_is_sealed(self, base: Any) -> None:
        with pytest.raises(TypeError, match="sealed"):
            type("Third", (base,), {})

    @pytest.mark.parametrize("result", [success(5), failure(ERROR)], ids=repr)
    def test_is_read_only_through_public_names(self, result: Any) -> None:
        for name in ("value", "error", "map", "more"):
            with pytest.raises(AttributeError):
                setattr(result, name, 1)
            with pytest.raises(AttributeError):
                delattr(result, name)
        assert not hasattr(result, "__dict__")
        assert result in (success(5), failure(ERROR))

    def test_takes_forty_bytes(self) -> None:
        failed = failure(ERROR)
        assert (sys.getsizeof(success(5)), sys.getsizeof(failed), failed.error) == (40, 40, ERROR)

    def test_differs_from_everything_else(self) -> None:
        assert success(5) != 5
        assert success(ERROR) != failure(ERROR)
        assert failure(ERROR) != ERROR
        assert success(5) != success(6)
        assert failure(ERROR) != failure(OTHER)

    def test_of_an_unhashable_value_has_no_hash(self) -> None:
        with pytest.raises(TypeError):
            hash(success([]))

    def test_match_takes_it_apart(self) -> None:
        def told(result: Any) -> object:
            match result:
                case Success(value):
                    return value
                case Failure(error):
                    return error

        assert (told(success(5)), told(failure(ERROR))) == (5, ERROR)
        match success(5):
            case Success(value=value):
                assert value == 5


def frames_behind(thing: object) -> list[object]:
    """Walk all that an object holds on to; give the frames, never passing through code."""
    found, todo, seen = [], [thing], set()
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, FrameType):
            found.append(one)
        else:
            todo += gc.get_referents(one)
    return found


def raised_by_a_vendor() -> Exception:
    try:
        try:
            raise OSError("behind")
        except OSError as behind:
            raise ConnectionError("vendor") from behind
    except ConnectionError as exception:
        return exception


class TestNoFrame:
    """An error inside a Failure holds no frame."""

    def test_a_vendor_s_exception_does_before(self) -> None:
        assert frames_behind(raised_by_a_vendor())

    def test_of_a_cause(self) -> None:
        error = QiError.network("CODE", "x", cause=raised_by_a_vendor())
        assert frames_behind(error)
        assert frames_behind(failure(error)) == []
        assert error.cause is error.__cause__

    def test_of_an_error_that_was_raised(self) -> None:
        try:
            raise QiError.network("CODE", "x") from raised_by_a_vendor()
        except QiError as error:
            result = failure(error)
        assert frames_behind(result) == []

    def test_of_what_map_try_caught(self) -> None:
        assert frames_behind(success("x").map_try(int)) == []

    def test_of_an_error_raised_while_another_was_handled(self) -> None:
        @do
        def body() -> None:
            try:
                raise OSError("handled")
            except OSError:
                unwrap(failure(ERROR))

        assert frames_behind(body()) == []

    def test_of_an_aggregate_of_what_was_raised(self) -> None:
        async def fails() -> None:
            raise QiError.network("CODE", "x") from raised_by_a_vendor()

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(fails())

        try:
            asyncio.run(main())
        except* QiError as group:
            result = failure(QiError.from_exception_group(group))
        assert len(result.error.errors) == 3
        assert frames_behind(result) == []

    def test_when_fifty_tasks_raise_the_same_error(self) -> None:
        shared = QiError.network("SHARED", "x", cause=raised_by_a_vendor())

        @do
        async def fails(number: int) -> int:
            await asyncio.sleep(0)
            return unwrap(failure(shared)) + number

        async def main() -> list[Any]:
            return await asyncio.gather(*map(fails, range(50)))

        results = asyncio.run(main())
        assert all(result.error == shared for result in results)
        assert frames_behind(results) == []

    def test_when_fifty_threads_raise_the_same_error(self) -> None:
        shared = QiError.network("SHARED", "x", cause=raised_by_a_vendor())
        start = threading.Barrier(50)
        results: list[Any] = []

        @do
        def fails() -> int:
            start.wait(30)
            return unwrap(failure(shared))

        threads = [threading.Thread(target=lambda: results.append(fails())) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [result.error for result in results] == [shared] * 50
        assert frames_behind(results) == []


def run_checked(code: str) -> str:
    """Run a program under `python -X dev`; give what it said on stderr."""
    body = "\n".join(f"    {line}" for line in code.split("\n"))
    head = "from qicore_core.result import *\nfrom qicore_core.error import QiError\n"
    program = f"{head}def main():\n{body}\nmain()"  # a local is dropped before the end
    command = [sys.executable, "-X", "dev", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stderr


FAILED = "failure(QiError.internal('CODE', 'token=abc'))"


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the module a second time, as it is under `python -X dev`."""
    spec = importlib.util.spec_from_file_location(module.__name__, module.__file__)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if name[0] != "_"}
        patch.setattr(sys, "flags", SimpleNamespace(**flags | {"dev_mode": True}))
        spec.loader.exec_module(made)
    return made


class TestCheckedHere:
    """As below, in this process."""

    def test_a_failure_dropped_unread_is_told(self, checked: Any) -> None:
        with pytest.warns(ResourceWarning, match="dropped unread: QiError.timeout"):
            checked.failure(ERROR).map(str)

    def test_a_failure_that_was_looked_at_is_not(self, checked: Any) -> None:
        assert not checked.failure(ERROR)
        failed = checked.failure(ERROR)
        assert failed.error is failed.error is ERROR
        assert repr(checked.Failure).startswith("<class")
        assert checked.failure(ERROR) != 5
        checked.Failure()

    def test_the_truth_of_a_result_of_bool_is_told(self, checked: Any) -> None:
        with pytest.warns(RuntimeWarning, match="ask its value"):
            assert checked.success(False)
        assert checked.success(0)


class TestChecked:
    """`python -X dev` tells of a truth misread and of a Failure dropped unread."""

    @pytest.mark.parametrize(
        "code",
        [
            f"{FAILED}",
            f"{FAILED}.map(str)",
            f"def f():\n r = {FAILED}\nf()",
            f"success(1).flat_map(lambda _: {FAILED})",
        ],
    )
    def test_a_failure_dropped_unread_is_told(self, code: str) -> None:
        said = run_checked(code)
        told = [line for line in said.splitlines() if "ResourceWarning: a Failure" in line]
        assert "a Failure was dropped unread: QiError.internal('CODE'" in told[0]
        assert "abc" not in told[0]  # below it Python 3.13 shows the line of the program itself

    @pytest.mark.parametrize(
        "use",
        [
            "bool(r)", "not r", "r.error", "r.unwrap_error()", "r == r.map(str)", "hash(r)",
            "r == 5", "assert isinstance(r, Failure)", "assert not isinstance(r, Success)",
            "r.is_failure()",
            "r.is_success()", "r.unwrap_or(1)", "r.to_optional()",
            "r.map(str).map_try(str).filter(str, 0).unwrap_or(1)",
            "repr(r)",
            "r.unwrap_or_else(str)", "r.or_else(str)", "r.recover(str)",
            "r.map_error(lambda e: e).error",
            "r.inspect_error(str)", "r.match(on_success=str, on_failure=str)", "r.map(str).error",
            "__import__('pickle').dumps(r)",
            "\nmatch r:\n case Success(v): pass\n case Failure(e): pass",
            "\ntry: unwrap(r)\nexcept QiError: pass", "\ntry: r.unwrap()\nexcept QiError: pass",
        ],
    )  # fmt: skip
    def test_a_failure_that_was_looked_at_is_not(self, use: str) -> None:
        assert run_checked(f"r = {FAILED}; {use}") == ""

    def test_the_truth_of_a_result_of_bool_is_told(self) -> None:
        said = run_checked("if success(False): pass")
        assert "<string>:4: RuntimeWarning: the truth of a Result[bool] is whether it" in said

    @pytest.mark.parametrize("code", ["if success(1): pass", "success(True).value", "Failure()"])
    def test_other_uses_are_not(self, code: str) -> None:
        assert run_checked(code) == ""

    def test_the_classes_are_the_same_in_size_and_kind(self) -> None:
        run_checked(
            f"import sys, copy\nr = {FAILED}\n"
            "assert sys.getsizeof(r) == sys.getsizeof(success(1)) == 40\n"
            "assert r.__class__ is Failure and success(1).__class__ is Success\n"
            "assert not r and success(1) and copy.copy(r) == r\n"
            "assert not hasattr(r, '__dict__')"
        )

    def test_costs_nothing_otherwise(self) -> None:
        code = (
            "import sys, qicore_core.result as r\n"
            "assert 'qicore_core.checked' not in sys.modules\n"
            "assert not hasattr(r.Failure, '__del__')"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
