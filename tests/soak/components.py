"""The components by name: each is opened, and gives what is asked of it; answers are looked at."""

from __future__ import annotations

from functools import partial

from ground import Component
from of_caches import disk, memory, redis, tiers
from of_databases import sqlite
from of_http import http

COMPONENTS: dict[str, Component] = {
    "memory": memory,
    "redis": redis,
    "tiered": tiers,
    "disk": disk,
    **{name: partial(http, name) for name in ("stdlib", "httpx", "aiohttp")},
    "sqlite": sqlite,
}
