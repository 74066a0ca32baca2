"""A cluster: each command goes to the node that has its key, and the nodes are asked side by side.

Which node has which slots is asked of the nodes themselves, when it is first needed, and whenever
one of them cannot be reached or a new one is heard of; one that has no more slots is left then. A
node that says where a key has gone (MOVED, ASK) is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    MovedError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)

from .connecting import connections
from .lines import Lines
from .settings import RedisSettings

if TYPE_CHECKING:
    from .roads import Command

__all__ = ["Address", "Cluster"]

Address: TypeAlias = tuple[str, int]

_TURNS: Final = 5  # how often a command is sent on to where its key has gone
_KEY_AT: Final = {"EVAL": 3, "EVALSHA": 3, "FCALL": 3}  # else 1
_KEYLESS: Final = ("PING", "TIME")


@final
class Cluster:
    """The connections of one event loop to the nodes of a cluster."""

    __slots__ = ("_is_closed", "_leaving", "_looking", "_nodes", "_settings", "_slots")

    def __init__(self, settings: RedisSettings, /) -> None:
        self._settings = settings
        self._nodes: dict[Address, Lines] = {}
        self._slots: dict[int, Address] = {}
        self._looking: asyncio.Task[dict[int, Address]] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def send(self, commands: Sequence[Command], /) -> list[Any]:
        """Give the reply to each command; where a node refuses one, the first error raises."""
        replies: list[Any] = [None] * len(commands)
        slots = self._slots or await self._look()
        todo: dict[int, tuple[Address, bool]] = {}
        for number, command in enumerate(commands):
            todo[number] = self._home(slots, command), False
        for _ in range(_TURNS):
            await self._exchange(commands, todo, replies)
            todo = self._moved(replies, todo)
            if not todo:
                break
        for reply in replies:
            if isinstance(reply, RedisError):
                if isinstance(reply, ReadOnlyError):
                    self._slots = {}
                if isinstance(reply, AskError):
                    raise TryAgainError("the nodes send a key to and fro")
                raise reply
        return replies

    async def get(self, head: Command, key: str, /) -> list[Any]:
        """Give the replies to a command and to the GET of a key, from two nodes as a rule."""
        return await self.send([head, ("GET", key)])

    async def scan(self, pattern: str, /) -> AsyncIterator[list[bytes]]:
        """Give the keys that match, of all nodes."""
        slots = self._slots or await self._look()
        for address in sorted(set(slots.values())):
            async for keys in self._node(address).scan(pattern):
                yield keys

    async def masters(self) -> set[Address]:
        """Ask anew which nodes have slots."""
        return set((await self._look()).values())

    async def close(self) -> None:
        """Close every connection, when what is under way has ended."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        nodes, self._nodes = self._nodes, {}
        await asyncio.gather(*[node.close() for node in nodes.values()], *self._leaving)

    async def _exchange(
        self,
        commands: Sequence[Command],
        todo: Mapping[int, tuple[Address, bool]],
        replies: list[Any],
    ) -> None:
        """Send each command to its node, and put its reply in its place."""
        numbers: dict[Address, list[int]] = {}
        for number, (address, _) in todo.items():
            numbers.setdefault(address, []).append(number)

        async def ask(address: Address, numbers: Sequence[int]) -> None:
            packet: list[Command] = []
            for number in numbers:
                if todo[number][1]:
                    packet.append(("ASKING",))
                packet.append(commands[number])
            given = await self._node(address).exchange(packet)
            wanted = [
                reply for reply, sent in zip(given, packet, strict=True) if sent[0] != "ASKING"
            ]
            for number, reply in zip(numbers, wanted, strict=True):
                replies[number] = reply

        try:
            if len(numbers) == 1:
                [(address, of_it)] = numbers.items()
                await ask(address, of_it)
                return
            asked = await asyncio.gather(
                *[ask(address, of_it) for address, of_it in numbers.items()], return_exceptions=True
            )
            for answer in asked:
                if answer is not None:
                    raise answer
        except (OSError, RedisError):
            self._slots = {}  # another node may have its slots by now
            raise

    def _moved(
        self, replies: Sequence[Any], sent: Mapping[int, tuple[Address, bool]]
    ) -> dict[int, tuple[Address, bool]]:
        """Give the commands that are to be sent on, and where to."""
        todo: dict[int, tuple[Address, bool]] = {}
        for number in sent:
            reply = replies[number]
            if isinstance(reply, AskError):  # a MovedError is one, too
                address = reply.host or sent[number][0][0], reply.port
                is_moved = isinstance(reply, MovedError)
                if is_moved and address not in self._nodes:
                    self._slots = {}  # there are others than before: who, is asked anew
                elif is_moved and self._slots:
                    self._slots[reply.slot_id] = address
                todo[number] = address, not is_moved
        return todo

    def _home(self, slots: Mapping[int, Address], command: Command) -> Address:
        """Give the node that has the key of a command."""
        name = str(command[0]).upper()
        at = _KEY_AT.get(name, 1)
        if name in _KEYLESS or len(command) <= at:
            return next(iter(slots.values()))
        key = command[at]
        slot = key_slot(key if isinstance(key, bytes) else str(key).encode())
        address = slots.get(slot)
        if address is None:
            self._slots = {}
            raise ConnectionError(f"no node of the cluster has the slot {slot}")
        return address

    def _node(self, address: Address) -> Lines:
        node = self._nodes.get(address)
        if node is None:
            if self._is_closed:
                raise ConnectionError("the connections were closed")
            own = self._settings.at(*address)
            node = self._nodes[address] = Lines(connections(own), own)
        return node

    async def _look(self) -> dict[int, Address]:
        """Ask who has which slots; all who need it wait for one asking."""
        if self._looking is None:
            if self._is_closed:
                raise ConnectionError("the connections were closed")
            self._looking = asyncio.create_task(
                self._slots_of_all(), name="ask a cluster for slots"
            )
            self._looking.add_done_callback(self._looked)
        looking = self._looking
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            if looking.cancelled() and self._is_closed:
                raise ConnectionError("the connections were closed") from None
            raise

    def _looked(self, task: asyncio.Task[dict[int, Address]]) -> None:
        self._looking = None
        if task.cancelled() or task.exception() is not None:
            return
        self._slots = task.result()
        for address in self._nodes.keys() - {*self._slots.values(), *self._settings.servers}:
            leaving = asyncio.create_task(self._nodes.pop(address).close(), name="leave a node")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _slots_of_all(self) -> dict[int, Address]:
        """Give what the first node to answer says."""
        known = dict.fromkeys([*self._settings.servers, *self._nodes])
        asking = [asyncio.create_task(self._slots_of(address)) for address in known]
        errors: list[BaseException] = []
        try:
            for asked in asyncio.as_completed(asking):
                try:
                    return await asked
                except (OSError, RedisError) as error:
                    errors.append(error)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        errors.sort(key=lambda error: not isinstance(error, RedisError))
        raise errors[0]  # one that answered knows better what is wrong

    async def _slots_of(self, address: Address) -> dict[int, Address]:
        [ranges] = await self._node(address).send([("CLUSTER", "SLOTS")])
        slots: dict[int, Address] = {}
        for first, last, (host, port, *_), *_ in ranges:
            home = (host.decode() if host else address[0]), int(port)
            slots.update(dict.fromkeys(range(first, last + 1), home))
        if not slots:
            raise ConnectionError("no node of the cluster has a slot yet")
        return slots
