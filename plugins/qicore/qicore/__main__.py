"""Run the command as `python -m qicore`."""

from __future__ import annotations

from .cli import main

raise SystemExit(main())
