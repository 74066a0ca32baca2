"""The response cache at work: what is fresh is given, what is stale is asked about.

It stands before the policy: an answer from the cache needs no place, no turn and no closed circuit,
and where the server fails for good, one that is stale may stand in. A cache that fails is a miss.
Streams and downloads go past it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias, final

from qicore_core import CallEvent, ErrorCategory, Failure, QiError, Result, Success, success
from qicore_core.events import emit, is_listening

from .errors import HTTP_ERROR
from .exchange import REDIRECTS
from .freshness import (
    age_of,
    directives,
    has_life,
    is_for_all,
    is_storable,
    life_of,
    may_stand_in,
    merged,
    stored,
    usable,
    validators,
)
from .message import Headers, HttpRequest, HttpResponse
from .settings import HttpSettings
from .stored import ResponseCache, Stored, key_of, pack, unpack
from .url import is_same_origin, redirect_of

__all__ = ["Caching"]

Fetch: TypeAlias = Callable[[HttpRequest], Awaitable[Result[HttpResponse]]]
"""Asks the server: a success of whatever it answers, unless another attempt may help."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "QUERY", "TRACE"})
# With these the caller asks about an answer of its own, or for a part.
_CONDITIONS: Final = (
    "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
)  # fmt: skip
_OUTAGES: Final = (
    ErrorCategory.NETWORK, ErrorCategory.TIMEOUT, ErrorCategory.UNAVAILABLE,
)  # fmt: skip
_NO_ANSWER: Final = HttpResponse(504, Headers(), b"only-if-cached, and nothing is", "")


@final
class Caching:
    """Answers from a cache where that may be, and keeps what may be kept.

    Args:
        settings: the client's, with a cache. Where redirects are followed, a kept one is no
            answer; a client that is guarded has entries of its own, as another may have kept what
            the guard would not reach.
    """

    __slots__ = ("_follows", "_is_changed", "_place", "_rules")

    def __init__(self, settings: HttpSettings) -> None:
        rules = settings.cache
        assert rules is not None  # noqa: S101  # the client looked
        self._rules = rules if isinstance(rules, ResponseCache) else ResponseCache(store=rules)
        self._is_changed = settings.on_request is not None
        self._follows = settings.max_redirects > 0
        self._place = "guarded" if settings.guard else "http"

    async def answer(self, request: HttpRequest, fetch: Fetch, /) -> Result[HttpResponse]:
        """Answer a request, by the cache or by the server."""
        if request.method not in _SAFE:
            answered = await fetch(request)
            await self._forget(request, answered)
            return answered
        if request.method != "GET" or not request.headers.keys().isdisjoint(_CONDITIONS):
            return await fetch(request)
        asked = directives(request.headers)
        if "no-store" in asked:
            return await fetch(request)
        entries = await self._read(request)
        entry = next((one for one in entries if one.matches(request.headers)), None)
        if entry is not None and self._follows and entry.status in REDIRECTS:
            entry = None
        if entry is not None and usable(entry, request.headers, self._rules):
            return success(self._given(entry, request))
        if "only-if-cached" in asked:
            return success(replace(_NO_ANSWER, url=request.url))
        if entry is None:
            return await self._fetched(request, fetch, entries)
        return await self._validated(request, fetch, entries, entry)

    async def _validated(
        self, request: HttpRequest, fetch: Fetch, entries: list[Stored], entry: Stored
    ) -> Result[HttpResponse]:
        """Ask the server whether an entry holds. Source: RFC 9111, section 4.3."""
        conditions = validators(entry)
        if not conditions:
            answered = await self._fetched(request, fetch, entries)
        else:
            began = self._rules.now()
            headers = request.headers.with_fields(conditions)
            answered = await fetch(replace(request, headers=headers))
            if isinstance(answered, Success):
                response = answered.value
                if response.status != 304:
                    await self._keep(request, response, began, entries)
                elif not _is_of(entry, response, request):
                    answered = await self._fetched(request, fetch, entries)
                else:
                    held = merged(entry, response, began, self._rules.now())
                    await self._write(request, held, entries)
                    return success(self._given(held, request))
        error = answered.error if isinstance(answered, Failure) else None
        if error is None or not _is_outage(error):
            return answered
        stands_in = may_stand_in(entry, request.headers, self._rules)
        return success(self._given(entry, request)) if stands_in else answered

    async def _fetched(
        self, request: HttpRequest, fetch: Fetch, entries: list[Stored]
    ) -> Result[HttpResponse]:
        began = self._rules.now()
        answered = await fetch(request)
        if isinstance(answered, Success):
            await self._keep(request, answered.value, began, entries)
        return answered

    async def _keep(
        self, request: HttpRequest, response: HttpResponse, began: float, entries: list[Stored]
    ) -> None:
        # An answer that came by a redirect is that of another URL.
        if response.url != request.url or not is_storable(request, response):
            return
        if self._is_changed and not is_for_all(response):
            return  # what was really sent, and in whose name, is not known here
        entry = stored(request, response, began, self._rules.now())
        if has_life(entry, self._rules):
            await self._write(request, entry, entries)

    async def _write(self, request: HttpRequest, entry: Stored, entries: list[Stored]) -> None:
        rules = self._rules
        others = [one for one in entries if not one.matches(request.headers)]
        kept = [entry, *others][: rules.max_variants]
        life = max(life_of(one, rules) - age_of(one, rules.now()) for one in kept)
        ttl = max(0.0, life) + rules.keep
        await rules.store.set(key_of(self._place, request.url), pack(kept), ttl=ttl)

    async def _read(self, request: HttpRequest) -> list[Stored]:
        found = await self._rules.store.get(key_of(self._place, request.url))
        return unpack(found.value) if isinstance(found, Success) else []

    async def _forget(self, request: HttpRequest, answered: Result[HttpResponse]) -> None:
        """Forget what an unsafe request may have changed. Source: RFC 9111, section 4.4."""
        urls = {request.url}
        if isinstance(answered, Failure):
            if answered.error.context.get("sent") is False:
                return
        elif answered.value.status >= 400:
            return
        else:
            response = answered.value
            urls.add(response.url)
            for name in ("location", "content-location"):
                target = redirect_of(response.url, response.headers.get(name, ""))
                if isinstance(target, Success) and is_same_origin(target.value.url, request.url):
                    urls.add(target.value.url)
        for url in urls:
            await self._rules.store.set(key_of(self._place, url), pack([]), ttl=1.0)

    def _given(self, entry: Stored, request: HttpRequest) -> HttpResponse:
        age = age_of(entry, self._rules.now())
        if is_listening():
            emit(CallEvent("http", request.method, "cache", fields={"age": age}))
        return entry.response(request.url, age)


def _is_of(entry: Stored, response: HttpResponse, request: HttpRequest) -> bool:
    """Tell whether a 304 speaks of an entry. Source: RFC 9111, section 4.3.4."""
    etag, known = response.headers.get("etag"), entry.headers.get("etag")
    same = etag is None or known is None or etag.removeprefix("W/") == known.removeprefix("W/")
    return same and response.url == request.url


def _is_outage(error: QiError) -> bool:
    if error.code == HTTP_ERROR:
        return error.context.get("status") in (500, 502, 503, 504)
    return error.category in _OUTAGES
