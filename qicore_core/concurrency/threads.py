"""Between threads and event loops: blocking functions awaited, async functions called."""

from __future__ import annotations

from _thread import RLock  # threading's, without its import; a signal handler may make a call
from os import getpid

from ..opening import Opening
from ..result import Success
from .tasks import close_coroutines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Runner, Task
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future
    from contextlib import ExitStack
    from typing import Any, Final, ParamSpec, Self, TypeVar

    T = TypeVar("T")
    P = ParamSpec("P")

__all__ = ["Portal", "blocking", "in_thread"]

_TURN: Final = 0.5  # seconds


async def in_thread(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that blocks in a thread of the event loop's pool, and give what it gives.

    The thread has a copy of the context variables. The pool is asyncio's own: bounded
    (`min(32, cpus + 4)` threads), shared with name look-ups, joined when the loop ends; what needs
    more threads than that, or the same thread each time, has an executor of its own.

    Cancelled, the wait ends at once; a thread cannot be stopped, so a call that has begun runs to
    its end and its outcome is dropped: give what blocks a timeout of its own. A call that still
    waits for a thread never begins.

    Args:
        fn: called with what follows; what it raises is raised here.
    """
    from asyncio import to_thread  # late, as the room's docstring says

    def call() -> T:
        try:
            return fn(*args, **kwargs)
        except StopIteration as stop:  # a future refuses it, and whoever awaits would wait for ever
            raise RuntimeError(f"{fn!r} raised StopIteration in a thread") from stop

    return await to_thread(call)


def blocking() -> Portal:
    """Let a synchronous program call async code, by one thread with an event loop.

    >>> async def double(n):
    ...     return 2 * n
    >>> with blocking() as call:
    ...     call(double(21))
    42
    """
    return Portal()


class Portal:
    """The way from synchronous code into an event loop that runs in a thread of its own.

    Entered, it starts the thread. Called with an awaitable, it gives what that gives or raises what
    it raises; called with an Opening, it gives its Result, and what was opened stays open until the
    block is left. Then all is closed in reverse, tasks left over are cancelled, the thread ends; a
    call that another thread has under way or makes then is a RuntimeError there.

    A call has a copy of the caller's context variables, and any thread may make one. Ctrl-C cancels
    the call under way and is raised when that has ended; a second Ctrl-C does not wait. Inside an
    event loop it is a RuntimeError, as it would block that loop: there, await. So it is in the
    child of a fork, where the thread is not.
    """

    __slots__ = ("_lock", "_loop", "_process", "_stack")

    _process: int
    _stack: ExitStack

    def __init__(self) -> None:
        self._lock = RLock()  # what begins while it is held, the loop hears of before it stops
        self._loop: AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        from asyncio import Runner, new_event_loop  # late, as the room's docstring says
        from contextlib import ExitStack  # late: with what needs it
        from threading import Thread  # late: with what needs it

        _refuse_inside_a_loop()
        if self._loop is not None:
            raise RuntimeError("this portal is entered already; make another by blocking()")
        runner = Runner(loop_factory=new_event_loop)
        loop = runner.get_loop()
        # A daemon: should Ctrl-C hit before the block begins, nobody would be there to end it.
        thread = Thread(target=_serve, args=(runner,), name="qicore-blocking", daemon=True)
        thread.start()
        self._stack = ExitStack()
        self._stack.callback(thread.join)
        self._stack.callback(loop.call_soon_threadsafe, loop.stop)
        self._stack.callback(self._shut)
        self._process, self._loop = getpid(), loop
        return self

    def __exit__(self, *_: object) -> None:
        if self._process == getpid():  # else it is not a fork's to close
            self._stack.close()

    def __call__(self, awaitable: Awaitable[T], /) -> T:
        """Give what an awaitable gives; what an Opening opens is closed when the block is left."""
        from concurrent.futures import Future  # late: it loads logging

        loop: AbstractEventLoop | None = None
        started: list[Task[T]] = []
        ended: Future[Task[T]] = Future()

        def start(loop: AbstractEventLoop) -> None:
            task = loop.create_task(self._await(awaitable))
            started.append(task)
            task.add_done_callback(ended.set_result)

        def stop(loop: AbstractEventLoop) -> None:
            if not started:  # the interrupt came before the loop had heard of the call
                start(loop)
            started[0].cancel()

        try:
            _refuse_inside_a_loop()
            if self._loop is not None and self._process != getpid():
                said = "the portal's thread is in the process that forked; enter one in this one"
                raise RuntimeError(said)
            with self._lock:
                loop = self._loop
                if loop is None:
                    said = "call it inside `with blocking() as call:`, while that is open"
                    raise RuntimeError(said)
                loop.call_soon_threadsafe(start, loop)
            task = _outcome(ended)
            if task.cancelled() and self._loop is None:
                raise RuntimeError("the portal was left before the call had ended")
        except BaseException:
            if loop is not None and not ended.done():  # Ctrl-C, or what another handler raises
                loop.call_soon_threadsafe(stop, loop)
                _ = _outcome(ended)
            close_coroutines([awaitable])
            raise
        return task.result()

    async def _await(self, awaitable: Awaitable[T]) -> T:
        value = await awaitable
        source: object = awaitable
        if isinstance(source, Opening) and isinstance(value, Success):
            if self._loop is None:  # it opened while the portal was being left
                await value.value.close()
            else:
                self._stack.callback(self._leave, value.value)
        return value

    def _shut(self) -> None:
        with self._lock:
            self._loop = None

    def _leave(self, opened: Any) -> None:
        self(opened.close())


def _outcome(ended: Future[T]) -> T:
    """Wait in turns: a signal that comes right before a wait ends only the next one."""
    while True:
        try:
            return ended.result(_TURN)
        except TimeoutError:
            continue


def _serve(runner: Runner) -> None:
    """Run a portal's loop until it is stopped; then cancel what is left and close it."""
    with runner:
        while True:
            try:
                return runner.get_loop().run_forever()
            except (KeyboardInterrupt, SystemExit):
                continue  # raised by a task, which holds it: its caller raises it in turn


def _refuse_inside_a_loop() -> None:
    from asyncio import get_running_loop  # late, as the room's docstring says

    try:
        get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("this would block the event loop that runs here; await instead")
