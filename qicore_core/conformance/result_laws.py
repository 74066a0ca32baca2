"""What a Result promises, whoever wrote it: pipelines may be rearranged and no error is lost."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import gc
import weakref
from typing import Any, Final

from hypothesis import strategies as st

from .. import attempt, combine, result
from ..error import QiError
from .contract import Contract, law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ResultLaws"]

_TEXTS: Final = st.text(max_size=5)
# True and false ones of each kind, but no booleans: 1 == True would hide a change.
VALUES: Final = st.none() | st.integers() | _TEXTS | st.lists(st.integers(), max_size=3)
ERRORS: Final = st.builds(
    QiError.validation, st.sampled_from(["ONE", "TWO", "THREE"]), _TEXTS.map("it failed {}".format)
)
OUTCOMES: Final = VALUES | ERRORS
FUNCTIONS: Final = st.sampled_from([repr, lambda value: [value], lambda value: (value, value)])
STEPS: Final = st.sampled_from(["wrap", "pair", "refuse", "refuse texts"])


class ResultLaws(Contract[Any], abstract=True):
    """The laws of Result, on both branches. Without more they are those of `qicore_core.result`.

    `class TestResult(ResultLaws): ...` runs those; set the attributes to run them on another.

    Attributes:
        success: makes a Success of a value.
        failure: makes a Failure of a QiError.
        collect: gives all values or the first Failure.
        accumulate: gives all values or a Failure of all errors.
        from_try_catch: calls a function, and gives a Failure of what it raises.
        do: makes of a function that raises a QiError one that gives a Failure.
    """

    max_examples = 100
    success: Callable[[Any], Any] = staticmethod(result.success)  # type: ignore[assignment]  # overloaded
    failure: Callable[[QiError], Any] = staticmethod(result.failure)
    collect: Callable[[list[Any]], Any] = staticmethod(combine.collect)
    accumulate: Callable[[list[Any]], Any] = staticmethod(combine.accumulate)
    from_try_catch: Callable[..., Any] = staticmethod(attempt.from_try_catch)
    do: Callable[[Callable[..., Any]], Callable[..., Any]] = staticmethod(attempt.do)

    @law(outcome=OUTCOMES)
    def functor_identity(self, outcome: object) -> None:
        """Mapping the identity changes nothing."""
        r = self._result(outcome)
        assert r.map(lambda value: value) == r
        assert r.map_error(lambda error: error) == r

    @law(outcome=OUTCOMES, f=FUNCTIONS, g=FUNCTIONS)
    def functor_composition(self, outcome: object, f: Any, g: Any) -> None:
        """Mapping f and then g is mapping "f and then g"."""
        r = self._result(outcome)
        assert r.map(f).map(g) == r.map(lambda value: g(f(value)))

    @law(value=VALUES, step=STEPS)
    def monad_left_identity(self, value: object, step: str) -> None:
        """Going on from a plain value is calling the step."""
        k = self._step(step)
        assert self.success(value).flat_map(k) == k(value)

    @law(outcome=OUTCOMES)
    def monad_right_identity(self, outcome: object) -> None:
        """Going on with `success` changes nothing."""
        r = self._result(outcome)
        assert r.flat_map(self.success) == r

    @law(outcome=OUTCOMES, first=STEPS, second=STEPS)
    def monad_associativity(self, outcome: object, first: str, second: str) -> None:
        """How steps are grouped does not matter, only their order."""
        r, h, k = self._result(outcome), self._step(first), self._step(second)
        assert r.flat_map(h).flat_map(k) == r.flat_map(lambda value: h(value).flat_map(k))

    @law(outcome=OUTCOMES)
    def what_is_made_is_what_is_found(self, outcome: object) -> None:
        """A Success is one and has its value; a Failure is one and has its error; they differ."""
        r = self._result(outcome)
        failed = isinstance(outcome, QiError)
        assert (r.is_failure(), r.is_success(), bool(r)) == (failed, not failed, not failed)
        assert r.match(on_success=lambda value: value, on_failure=lambda error: error) == outcome
        assert r == self._result(outcome)
        assert r != self.success(r)
        assert (r.unwrap_error() if failed else r.unwrap()) is outcome

    @law(value=VALUES)
    def a_bug_passes_map_and_flat_map(self, value: object) -> None:
        """What a function raises under map or flat_map is raised, never made a Failure."""
        for method in (self.success(value).map, self.success(value).flat_map):
            try:
                method(_crash)
            except ZeroDivisionError:
                continue
            raise AssertionError(f"{method.__name__} caught a bug")

    @law(error=ERRORS)
    def a_failure_absorbs(self, error: QiError) -> None:
        """What follows a Failure is not called, and the Failure comes out as it went in."""
        failed = self.failure(error)
        assert failed.map(_crash) == failed
        assert failed.flat_map(_crash) == failed
        assert failed.filter(_crash, error) == failed
        assert failed.unwrap_or("else") == "else"

    @law(value=VALUES)
    def a_success_needs_no_rescue(self, value: object) -> None:
        """What mends a Failure is not called on a Success."""
        fine = self.success(value)
        assert fine.map_error(_crash) == fine
        assert fine.or_else(_crash) == fine
        assert fine.recover(_crash) == fine
        assert fine.unwrap_or("else") is value

    @law(values=st.lists(VALUES, max_size=5))
    def collect_keeps_the_order(self, values: list[object]) -> None:
        """Of Successes alone, collect gives every value, in order."""
        assert self.collect([self.success(value) for value in values]) == self.success(values)

    @law(outcomes=st.lists(OUTCOMES, max_size=4), error=ERRORS)
    def collect_gives_the_first_failure(self, outcomes: list[object], error: QiError) -> None:
        """Where there are Failures, collect gives the first."""
        outcomes = [*outcomes, error]
        first = next(found for found in outcomes if isinstance(found, QiError))
        assert self.collect([self._result(found) for found in outcomes]) == self.failure(first)

    @law(values=st.lists(VALUES, max_size=5))
    def accumulate_keeps_the_order(self, values: list[object]) -> None:
        """Of Successes alone, accumulate gives every value, in order."""
        assert self.accumulate([self.success(value) for value in values]) == self.success(values)

    @law(outcomes=st.lists(OUTCOMES, max_size=4), error=ERRORS)
    def accumulate_loses_no_error(self, outcomes: list[object], error: QiError) -> None:
        """Where there are Failures, accumulate holds every error, in order, also equal ones."""
        outcomes = [*outcomes, error]
        errors = tuple([found for found in outcomes if isinstance(found, QiError)])
        whole = self.accumulate([self._result(found) for found in outcomes])
        assert whole.unwrap_error().errors == errors

    @law()
    def no_frame_is_held(self) -> None:
        """What a Failure was made of lets go of every frame, so that no local of them is kept."""
        for make in (self._from_try_catch, self._from_do, self._from_chain):
            local = _Local()
            gone = weakref.ref(local)
            kept = make(local)
            del local
            gc.collect()
            assert gone() is None, f"{make.__name__} keeps the locals of the frame that raised"
            assert kept.is_failure()

    def _from_try_catch(self, local: _Local) -> Any:
        return self.from_try_catch(_crash, local)

    def _from_do(self, local: _Local) -> Any:
        def fail(inner: _Local) -> None:
            raise QiError.validation("ONE", "it failed")

        return self.do(fail)(local)

    def _from_chain(self, local: _Local) -> Any:
        def fail(inner: _Local) -> None:
            try:
                _crash(inner)
            except ZeroDivisionError as bug:
                raise QiError.internal("TWO", "it failed", cause=bug) from bug

        return self.do(fail)(local)

    def _result(self, outcome: object) -> Any:
        return self.failure(outcome) if isinstance(outcome, QiError) else self.success(outcome)

    def _step(self, name: str) -> Callable[[object], Any]:
        def step(value: object) -> Any:
            if name == "refuse" or (name == "refuse texts" and isinstance(value, str)):
                return self.failure(QiError.validation("REFUSED", f"refused {value!r}"))
            return self.success((value, value) if name == "pair" else [value])

        return step


class _Local:
    """Something that a frame holds, and that is gone when the frame is."""


def _crash(*_: object) -> Any:
    raise ZeroDivisionError
