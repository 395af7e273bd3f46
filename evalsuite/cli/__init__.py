"""The command line. Only typer and rich are imported before a command runs, so that help comes at once."""

from __future__ import annotations

from evalsuite.cli.app import app, main

__all__ = ["app", "main"]
