"""askdocs: ask folders, pages and packages a question; it answers with sources."""

from __future__ import annotations
