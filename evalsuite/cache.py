"""The cache folder: what is generated or found once and kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "EVALSUITE_CACHE"


def cache_folder() -> Path:
    """`$EVALSUITE_CACHE`, else the user's cache (`~/.cache/evalsuite`)."""
    given = os.environ.get(ENVIRONMENT)
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("evalsuite"))
