"""The same answers over HTTP: JSON at /ask, a page for people at /, health at /healthz, /readyz."""

from __future__ import annotations

from html import escape

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

import qicore as qi
from qicore_fastapi import Router, install
from qicore_uvicorn import Server

from .answer import Answer, short
from .program import Program, open_program
from .settings import Settings

__all__ = ["serve", "web_app"]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>askdocs</title>
<meta name="viewport" content="width=device-width"><style>
body { font: 17px/1.5 system-ui, sans-serif; max-width: 44em; margin: 3em auto; padding: 0 1em }
input { font: inherit; width: 75%%; padding: .4em } button { font: inherit; padding: .4em 1em }
p.answer { white-space: pre-line } li { margin: .8em 0 } small { color: #666 }
blockquote { margin: .2em 0; color: #444 }</style>
<h1>askdocs</h1>
<form><input name="q" value="%s" aria-label="question" maxlength="500" autofocus>
<button>ask</button></form>
%s</html>"""


def web_app(program: Program) -> FastAPI:
    """Make the application; the program is opened, and closed, by the caller."""
    app = FastAPI(title="askdocs", docs_url=None, redoc_url=None)
    install(app, runtime=program.runtime)
    router = Router()

    @router.get("/ask", errors=[qi.ErrorCategory.NOT_FOUND, qi.ErrorCategory.VALIDATION])
    async def ask(q: str) -> qi.Result[Answer]:
        return await program.ask(q)

    @router.get("/", response_class=HTMLResponse)
    async def page(q: str = "") -> HTMLResponse:
        status, content = 200, ""
        if q.strip():
            status, content = (await program.ask(q)).match(
                on_success=lambda answer: (200, _shown(answer)),
                on_failure=lambda error: (error.category.http_status, _said(error)),
            )
        return HTMLResponse(PAGE % (escape(q), content), status, HEADERS)

    app.include_router(router)
    return app


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered first."""
    async with open_program(settings) as program:
        host, port = settings.web.host, settings.web.port
        async with Server(web_app(program), host=host, port=port).running() as server:
            documents, _ = await qi.unwrap(program.store.counts())
            print(f"askdocs answers from {documents} documents at {server.address}", flush=True)
            await server.wait(signals=True)


def _shown(answer: Answer) -> str:
    sources = "".join(
        f"<li>{escape(source.headline)}<blockquote>"
        f"{escape(short(source.text))}</blockquote><small>{escape(source.name)}</small></li>"
        for source in answer.sources
    )
    by = f"<small>by {escape(answer.answered_by)}</small>"
    return f'<p class="answer">{escape(answer.text)}</p>{by}<h2>Sources</h2><ol>{sources}</ol>'


def _said(error: qi.QiError) -> str:
    return f"<p>{escape(error.public_message)}</p>"
