"""What Result, QiError, `@do` and Policy take, beside their peers and beside what a hand writes."""

from __future__ import annotations

from time import time

from qicore_core import CircuitBreakerConfig, Policy, QiError, do, failure, success, unwrap
from qicore_core.error import ErrorCategory

from .comparing import Measured, compare, drive, peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final

__all__ = ["measure"]

_TIMES: Final = 50  # a statement stands in a row, so that what is around it weighs little
_PEERS: Final = {  # its module, how it writes success and failure, and the next step
    "result": ("result", "Ok", "Err", "and_then"),
    "koda": ("koda", "Ok", "Err", "flat_map"),
    "safe-result": ("safe_result", "Ok", "Err", "and_then"),
    "returns": ("returns.result", "Success", "Failure", "bind"),
}


def measure() -> Iterator[Measured]:
    """Measure one after the other."""
    yield from _results()
    yield from _errors()
    yield from _do()
    yield from _policy()


def _results() -> Iterator[Measured]:
    names = {"ours": _names(success, failure, "flat_map")}
    for name, (module, ok, err, bind) in _PEERS.items():
        found = peer(module)
        if found is None:
            yield Measured(f"Result beside {name}, which is not installed", None, 1.0, "x")
        else:
            names[name] = _names(getattr(found, ok), getattr(found, err), bind)
    for what, statement, budget in (
        ("success(1)", "ok(1)", 1 / 1.2),
        ("failure(error)", "err(E)", 1 / 1.2),
        ("map", "r.map(inc)", 1 / 1.4),
        ("5 steps", "ok(1)" + ".BIND(step)" * 5, 1 / 1.2),
    ):
        costs = compare({who: _often(statement, known) for who, known in names.items()}, inner=100)
        ours, slow = costs.pop("ours"), costs.pop("returns", None)
        if costs:
            best = min(costs, key=costs.__getitem__)
            ratio = ours / costs[best]
            yield Measured(f"{what}, of the fastest peer's time ({best})", ratio, budget, "x")
        if slow is not None:
            yield Measured(f"{what}, of returns' time", ours / slow, 1 / 3.3, "x")


def _names(ok: Any, err: Any, bind: str) -> dict[str, Any]:
    """Give what a statement says of one library; BIND is its word for the next step."""
    known = {"ok": ok, "err": err, "E": QiError.internal("CODE", "said"), "r": ok(5), "BIND": bind}
    known["inc"] = lambda number: number + 1
    known["step"] = lambda number: ok(number + 1)
    return known


def _often(statement: str, names: dict[str, Any]) -> Callable[[], object]:
    """Make a function of a statement many times in a row, as a program has it in a hot place."""
    lines = f"    {statement.replace('BIND', names.get('BIND', ''))}\n" * _TIMES
    scope = dict(names)
    exec(f"def often():\n{lines}", scope)  # noqa: S102  # our own text
    function: Callable[[], object] = scope["often"]
    for _ in range(_TIMES):
        function()  # until the interpreter has specialised it
    return function


class _SlottedError(Exception):
    """What a careful hand writes: the same fields and the same call, no checks."""

    __slots__ = (
        "category", "cause", "code", "context", "errors", "hint", "message", "public_message",
        "retry_after", "retryable", "source", "timestamp",
    )  # fmt: skip

    def __init__(
        self,
        code: str,
        message: str,
        category: ErrorCategory,
        *,
        cause: BaseException | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        public_message: str | None = None,
        source: str | None = None,
        **context: object,
    ) -> None:
        self.code = code
        self.message = message
        self.category = category
        self.cause = cause
        self.hint = hint
        self.retryable = retryable
        self.retry_after = retry_after
        self.public_message = public_message
        self.source = source
        self.context = context
        self.errors = ()
        self.timestamp = time()


def _errors() -> Iterator[Measured]:
    names = {"Q": QiError, "S": _SlottedError, "C": ErrorCategory.VALIDATION}
    for what, more, budget in (
        ("QiError", "", 1.3),
        ("QiError with context", ", field='port', value=7", 1.6),
    ):
        costs = compare(
            {
                "ours": _often(f"Q.validation('CODE', 'said'{more})", names),
                "slotted": _often(f"S('CODE', 'said', C{more})", names),
            },
            inner=100,
        )
        ratio = costs["ours"] / costs["slotted"]
        yield Measured(f"{what}, of a slotted exception's time", ratio, budget, "x")


def _do() -> Iterator[Measured]:
    async def step(number: int) -> Any:
        return success(number)

    @do
    async def ours() -> int:
        a = await unwrap(step(1))
        b = await unwrap(step(a))
        return await unwrap(step(b))

    async def by_hand() -> Any:
        a = await step(1)
        if not a:
            return a
        b = await step(a.value)
        if not b:
            return b
        c = await step(b.value)
        if not c:
            return c
        return success(c.value)

    costs = compare({"ours": lambda: drive(ours()), "by hand": lambda: drive(by_hand())})
    yield Measured(
        "@do with 3 awaits, of hand-written checks", costs["ours"] / costs["by hand"], 1.6, "x"
    )


def _policy() -> Iterator[Measured]:
    async def nothing() -> Any:
        return success()

    guarded = Policy(retry=3, breaker=CircuitBreakerConfig())(nothing)
    costs = compare({"ours": lambda: drive(guarded()), "bare": lambda: drive(nothing())})
    took = (costs["ours"] - costs["bare"]) / 1000
    yield Measured("retry, breaker and budget around a call", took, 3.0, " µs")
