"""Where the miniature's recipes and its shipped checkpoints lie."""

from pathlib import Path


def recipes() -> Path:
    """The folder of the shipped recipes."""
    return _miniature() / "recipes"


def checkpoints() -> Path:
    """The folder of the shipped checkpoints."""
    return _miniature() / "checkpoints"


def _miniature() -> Path:
    import evalsuite_baselines.mini

    return Path(str(evalsuite_baselines.mini.__file__)).parent
