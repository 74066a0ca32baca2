"""Every law of the contract catches something broken: a transport or a client that breaks it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import Phase, settings

from qicore_core import Failure, Opening, Parts, Result, failure, success
from qicore_http import Body, Headers, HttpClient, HttpReply, HttpRequest, HttpResponse
from qicore_http.conformance import HttpContract
from qicore_http.errors import network_error
from qicore_http.fake import reply_of
from qicore_http.settings import HttpSettings, TransportSettings, read_transport
from qicore_http.stdlib import StdlibTransport

settings.register_profile("unshrunk", phases=[Phase.explicit, Phase.generate])


class Right:
    """A transport that is right in everything; those below break one thing."""

    def __init__(self, settings: TransportSettings) -> None:
        self.inner = StdlibTransport(settings)

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        sent = await self.inner.send(self.asked(request))
        return sent.map(self.told)

    def asked(self, request: HttpRequest) -> HttpRequest:
        return request

    def told(self, reply: HttpReply) -> HttpReply:
        return reply

    async def close(self) -> None:
        await self.inner.close()


class AlwaysGets(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        return replace(request, method="GET")


class DropsBodies(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        return replace(request, body=b"")


class DropsHeaders(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        return replace(request, headers=Headers())


class AddsASlash(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        return replace(request, url=request.url + "/")


class ForgetsTheAddress(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        return replace(request, address=None)


class AsksByAddress(Right):
    """It connects to the address by a URL that has it, so that Host and certificate are wrong."""

    def asked(self, request: HttpRequest) -> HttpRequest:
        parts = urlsplit(request.url)
        place = f"{request.address or parts.hostname}:{parts.port}"
        return replace(request, url=parts._replace(netloc=place).geturl())


class ReadsBodiesFirst(Right):
    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        if isinstance(request.body, Body):
            whole = b"".join([piece async for piece in request.body])
            request = replace(request, body=whole)
        return await super().send(request)


class SendsAllInChunks(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        if isinstance(request.body, Body):
            return replace(request, body=Body(request.body._start))
        return request


class BlamesTheNetwork(Right):
    """It takes what a body raises for trouble of the connection, and does not say so."""

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        sent = await super().send(request)
        if isinstance(request.body, Body):
            request.body.failed = None
        return sent


class IsVague(Right):
    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        sent = await super().send(request)
        if isinstance(sent, Failure):
            return failure(network_error("the connection failed", sent=False))
        return sent


class RemembersHeaders(Right):
    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(settings)
        self.known = Headers()

    def asked(self, request: HttpRequest) -> HttpRequest:
        self.known = request.headers.with_fields(self.known)
        return replace(request, headers=self.known)


class Talks(Right):
    def asked(self, request: HttpRequest) -> HttpRequest:
        logging.getLogger("vendor").debug("sending %s %r", request.url, request.headers.pairs())
        return request


class ShowsTheInterim(Right):
    def told(self, reply: HttpReply) -> HttpReply:
        return HttpReply(103, reply.headers, reply._pieces, reply._close)


class SaysGone(Right):
    def told(self, reply: HttpReply) -> HttpReply:
        return HttpReply(410, reply.headers, reply._pieces, reply._close)


class HidesHeaders(Right):
    def told(self, reply: HttpReply) -> HttpReply:
        return HttpReply(reply.status, Headers(), reply._pieces, reply._close)


class AddsAByte(Right):
    def told(self, reply: HttpReply) -> HttpReply:
        async def pieces() -> AsyncIterator[Result[bytes]]:
            async for piece in reply:
                yield piece
            yield success(b"?")

        return HttpReply(reply.status, reply.headers, pieces(), reply._close)


class EndsQuietly(Right):
    def told(self, reply: HttpReply) -> HttpReply:
        async def pieces() -> AsyncIterator[Result[bytes]]:
            async for piece in reply:
                if piece:
                    yield piece

        return HttpReply(reply.status, reply.headers, pieces(), reply._close)


class NeverLetsGo(Right):
    def told(self, reply: HttpReply) -> HttpReply:
        async def close() -> None:
            return None

        return HttpReply(reply.status, reply.headers, reply._pieces, close)


class LosesPlaces(Right):
    """Its pool has ten places, and one that was cancelled does not give its place back."""

    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(settings)
        self.places = asyncio.Semaphore(10)

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        await self.places.acquire()
        sent = await super().send(request)
        self.places.release()
        return sent


class SendsTwice(Right):
    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        first = await super().send(request)
        if first:
            await first.value.aclose()
        return await super().send(request)


class ForgetsItsSettings(Right):
    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(TransportSettings(verify=settings.verify))


class TakesWhatIsThere(Right):
    """It keeps one connection, and reads the next answer from wherever the last one ended."""

    link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        parts = urlsplit(request.url)
        if self.link is None:
            place = parts.hostname, parts.port
            self.link = await asyncio.open_connection(*place, limit=1 << 20)
        reader, writer = self.link
        writer.write(f"GET {parts.path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = await reader.readexactly(int(head.split("content-length: ")[1].split()[0]))
        return success(reply_of(200, body, {}))

    async def close(self) -> None:
        await super().close()
        if self.link is not None:
            self.link[1].close()


class NeverFails(HttpClient):  # type: ignore[misc]  # final, as nobody but a test needs a worse one
    """A client that makes a success of everything."""

    async def request(self, method: str, url: str, /, **options: Any) -> Result[HttpResponse]:
        answered = await super().request(method, url, **options)
        return answered.or_else(lambda _: success(HttpResponse(200, Headers(), b"", url)))


BROKEN: dict[str, type[Any]] = {
    "every_method_arrives": AlwaysGets,
    "a_body_arrives_as_it_was_said": DropsBodies,
    "a_body_that_is_none_is_refused": NeverFails,
    "headers_and_params_arrive": DropsHeaders,
    "a_header_never_becomes_two": NeverFails,
    "a_url_that_cannot_be_called_is_refused": NeverFails,
    "a_url_is_written_in_one_way": AddsASlash,
    "userinfo_becomes_a_header": DropsHeaders,
    "the_correlation_id_goes_along": DropsHeaders,
    "an_answer_comes_back_whole": AddsAByte,
    "text_is_read_in_its_charset": AddsAByte,
    "an_answer_without_a_body_ends_at_its_head": AddsAByte,
    "interim_answers_are_passed_over": ShowsTheInterim,
    "an_answer_that_cannot_be_read_is_refused": NeverFails,
    "what_nobody_asked_for_is_no_answer_to_the_next": TakesWhatIsThere,
    "a_status_means_its_category": SaysGone,
    "accept_status_decides": SaysGone,
    "json_is_read_as_a_type_or_refused": AddsAByte,
    "a_larger_answer_than_allowed_is_refused": NeverFails,
    "a_compressed_answer_is_read_within_bounds": NeverFails,
    "a_body_in_pieces_arrives_whole": ReadsBodiesFirst,
    "a_multipart_has_all_its_parts": DropsHeaders,
    "a_body_that_is_read_once_is_never_sent_again": SendsTwice,
    "a_body_has_the_length_that_it_was_said_to_have": SendsAllInChunks,
    "a_body_that_nobody_reads_comes_to_an_end": NeverFails,
    "a_server_that_refuses_a_body_is_heard": NeverFails,
    "what_a_body_raises_is_the_callers": BlamesTheNetwork,
    "a_retry_budget_ends_a_storm": SendsTwice,
    "places_and_turns_are_of_one_host": NeverFails,
    "a_retry_after_that_is_a_date_is_waited_for": SaysGone,
    "an_outage_is_told_with_its_place_and_reason": IsVague,
    "a_token_is_fetched_once_and_anew_where_it_is_refused": DropsHeaders,
    "hooks_see_every_attempt_and_hop": SendsTwice,
    "a_guarded_request_goes_to_the_address_that_was_checked": ForgetsTheAddress,
    "a_guarded_name_is_the_one_in_tls": AsksByAddress,
    "a_guard_blocks_what_is_not_public": NeverFails,
    "a_guard_looks_at_every_hop": ForgetsTheAddress,
    "a_fresh_answer_is_not_asked_for_again": SendsTwice,
    "a_stale_answer_is_validated": DropsHeaders,
    "a_stale_answer_stands_in_where_that_is_allowed": SaysGone,
    "what_must_not_be_kept_is_not": DropsHeaders,
    "what_a_request_may_have_changed_is_forgotten": HidesHeaders,
    "a_download_that_broke_off_is_resumed": DropsHeaders,
    "a_download_goes_on_in_a_later_call": EndsQuietly,
    "a_download_that_cannot_be_is_refused": SaysGone,
    "redirects_are_followed_as_the_method_asks": AlwaysGets,
    "redirects_come_to_an_end": NeverFails,
    "credentials_stay_at_their_origin": RemembersHeaders,
    "a_redirect_that_cannot_be_called_is_refused": NeverFails,
    "only_what_may_be_repeated_is": SendsTwice,
    "what_was_never_sent_is_repeated": NeverFails,
    "retry_after_is_kept": SaysGone,
    "a_breaker_is_of_one_host": NeverFails,
    "a_half_open_breaker_passes_its_probes_alone": SendsTwice,
    "a_drip_does_not_stretch_the_deadline": NeverFails,
    "silence_comes_to_an_end": NeverFails,
    "cancelled_requests_free_their_connections": LosesPlaces,
    "an_answer_cut_short_is_no_success": EndsQuietly,
    "a_stream_gives_what_comes_and_says_how_it_ended": EndsQuietly,
    "a_stream_that_is_left_is_closed": NeverLetsGo,
    "a_closed_client_says_so": NeverFails,
    "nothing_secret_is_shown": Talks,
    "a_certificate_that_is_no_good_is_refused": NeverFails,
    "a_body_that_tls_does_not_end_is_no_success": EndsQuietly,
    "a_proxy_carries_every_request": ForgetsItsSettings,
    "a_proxy_that_fails_is_told": ForgetsItsSettings,
    "a_proxy_and_a_guard_exclude_each_other": ForgetsItsSettings,
    "no_more_connections_are_opened_than_are_allowed": ForgetsItsSettings,
    "a_certificate_of_the_clients_is_shown": NeverFails,
}


class Bench(HttpContract, abstract=True):
    """The contract around a thing that breaks it."""

    max_examples = 5
    patience = 1.0
    broken: type[Any]

    def open_client(self, base: str, /, *, parts: Parts | None = None, **options: Any) -> Any:
        names = {one.name for one in fields(TransportSettings)}
        given = {name: options.pop(name) for name in names & options.keys()}
        read = read_transport(TransportSettings, "stdlib:", given, "stdlib").unwrap()

        async def start() -> Result[HttpClient]:
            own = HttpSettings.read({"base_url": base, **options}).unwrap()
            if issubclass(self.broken, HttpClient):
                return success(self.broken(StdlibTransport(read), own, parts))
            return success(HttpClient(self.broken(read), own, parts))

        return Opening(start)


def _bench(broken: type[Any]) -> Any:
    """Make the contract of something broken; its first example that fails will do, unshrunk."""
    before = settings.get_current_profile_name()
    settings.load_profile("unshrunk")
    try:
        return type("BrokenBench", (Bench,), {"broken": broken})()
    finally:
        settings.load_profile(before)


def test_every_law_has_something_that_breaks_it() -> None:
    assert HttpContract.laws().keys() == BROKEN.keys()


def test_a_transport_that_is_right_is_not_caught() -> None:
    bench = _bench(Right)
    bench.test_an_answer_without_a_body_ends_at_its_head()
    bench.test_cancelled_requests_free_their_connections()
    bench.test_a_stream_that_is_left_is_closed()
    bench.test_nothing_secret_is_shown()
    bench.test_what_nobody_asked_for_is_no_answer_to_the_next()
    bench.test_a_proxy_and_a_guard_exclude_each_other()
    bench.test_no_more_connections_are_opened_than_are_allowed()


@pytest.mark.parametrize("law", BROKEN)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what is broken leaves things open
def test_a_law_catches_what_breaks_it(law: str) -> None:
    with pytest.raises((AssertionError, TimeoutError, ValueError)):
        getattr(_bench(BROKEN[law]), f"test_{law}")()
