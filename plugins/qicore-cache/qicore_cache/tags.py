"""Tags: names by which entries are removed together, however many bear them, in one step.

A tag has a version, a random word in a namespace beside the cache's own, and an entry has the words
that its tags had when it was made. To remove a tag is to forget its word: every entry that has it
is a miss from then on, and ends by its own ttl. Whoever keeps the next entry makes another word. A
counter in its place would begin anew where the store lost it, and bring back what was removed; a
word never does. Callers of one cache that need a new word at once make one: each with his own would
take the others' out of reach, which is what still happens to entries of two processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import Any, Final, Protocol, final

from qicore_core import Failure, Policy, QiError, Result, failure, gather, success

from .errors import INVALID_TAG
from .flight import Flights
from .kept import Kept
from .store import CacheStore, Entry, Space

__all__ = ["Tags", "listed_tags"]

_MAX_TAGS: Final = 32
_MAX_TAG: Final = 256
_WORD_BYTES: Final = 8


class Calls(Protocol):
    """What asks the store by the policy."""

    async def __call__(
        self, operation: str, timeout: float | None, policy: Policy | None, fn: Any, *args: object
    ) -> Result[Any]:
        """Call a function of the store."""
        ...


@final
class Tags:
    """The words of one cache's tags, in its store."""

    __slots__ = ("_call", "_minting", "_space", "_store", "ns")

    def __init__(self, store: CacheStore, ns: str, space: Space | None, call: Calls) -> None:
        self.ns = ns
        self._store = store
        self._space = space
        self._call = call
        self._minting = Flights()

    async def mint(
        self, tags: Iterable[str], timeout: float | None, policy: Policy | None, /
    ) -> Result[tuple[tuple[str, str], ...]]:
        """Give each tag's word, made here where it has none."""
        names = list(tags)
        read = await self._words(names, timeout, policy)
        if isinstance(read, Failure):
            return read
        words = dict(read.value)
        new = [tag for tag in names if tag not in words]
        if new:
            made = await gather([self._new_word(tag, timeout, policy) for tag in new])
            if isinstance(made, Failure):
                return made
            words |= zip(new, made.value, strict=True)
        return success(tuple(words.items()))

    async def standing(
        self, held: Mapping[str, Any], timeout: float | None, policy: Policy | None, /
    ) -> Result[Mapping[str, Any]]:
        """Give those of what is held whose tags all have the words that they had."""
        bearing = {
            key: one.words for key, one in held.items() if one.__class__ is Kept and one.words
        }
        names = {tag for words in bearing.values() for tag, _ in words}
        read = await self._words(sorted(names), timeout, policy)
        if isinstance(read, Failure):
            return read
        return success(
            {
                key: one
                for key, one in held.items()
                if all(read.value.get(tag) == word for tag, word in bearing.get(key, ()))
            }
        )

    async def remove(
        self, tag: str, timeout: float | None, policy: Policy | None, /
    ) -> Result[None]:
        """Forget the word of a tag."""
        if self._space is not None:
            self._space.drop([tag])
            return success()
        gone = await self._call("remove_tag", timeout, policy, self._store.delete, self.ns, [tag])
        return gone.map(lambda _: None)

    async def _new_word(
        self, tag: str, timeout: float | None, policy: Policy | None
    ) -> Result[str]:
        """Make a tag's word, or wait for whoever makes it."""

        async def make() -> Result[str]:
            read = await self._words([tag], timeout, policy)
            if isinstance(read, Failure):
                return read
            if tag in read.value:  # made since our look
                return success(read.value[tag])
            word = token_hex(_WORD_BYTES)
            return (await self._keep({tag: word}, timeout, policy)).map(lambda _: word)

        return await self._minting.run(tag, make, lambda outcome: outcome)

    async def _words(
        self, names: list[str], timeout: float | None, policy: Policy | None
    ) -> Result[Mapping[str, str]]:
        if self._space is not None:
            return success({tag: word for tag in names if (word := self._space.get(tag))})
        read = await self._call("tags", timeout, policy, self._store.read, self.ns, names)
        return read.map(lambda found: {tag: data.decode("latin-1") for tag, data in found.items()})

    async def _keep(
        self, words: Mapping[str, str], timeout: float | None, policy: Policy | None
    ) -> Result[None]:
        if self._space is None:
            entries = {tag: Entry(word.encode()) for tag, word in words.items()}
            return await self._call("tags", timeout, policy, self._store.write, self.ns, entries)
        for tag, word in words.items():
            self._space.put(tag, word, None)
        return success()


def listed_tags(tags: Iterable[str], /) -> Result[list[str]]:
    """Give tags as a list, each once, or say what is wrong with one of them."""
    if isinstance(tags, str):
        return failure(_invalid(f"tags are a list of texts, got the text {tags[:40]!r}"))
    wanted: dict[str, None] = {}
    for one in tags:
        tag = str.__str__(one) if isinstance(one, str) else ""  # a subclass may have its own hash
        if not (tag.isprintable() and 0 < len(tag) <= _MAX_TAG):
            return failure(_invalid(f"got {str(one)[:40]!r}"))
        wanted[tag] = None
    if len(wanted) > _MAX_TAGS:
        return failure(_invalid(f"got {len(wanted)} tags"))
    return success(list(wanted))


def _invalid(got: str) -> QiError:
    return QiError.validation(
        INVALID_TAG,
        f"an entry has up to {_MAX_TAGS} tags of 1 to {_MAX_TAG} printable characters: {got}",
        hint='write tags=["user:7"], a list of short names',
        source="cache",
    )
