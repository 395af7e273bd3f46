"""One stage in a process of its own: `python -m evalsuite.mini.training.worker RECIPE WORK STAGE`."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> None:
    """Train the stage, unless it was finished while this process waited for it."""
    import torch

    from .processes import hold
    from .recipe import load_recipe
    from .stages import make_stages

    recipe, work, name = Path(arguments[0]), Path(arguments[1]), arguments[2]
    resume = "--fresh" not in arguments
    logging.basicConfig(format=f"{name}: %(message)s")
    logging.getLogger("evalsuite").setLevel(logging.INFO)
    torch.set_num_threads(1)
    stage = make_stages(load_recipe(recipe), work, resume)[name]
    with hold(work, name):
        if not (resume and stage.done.exists()):
            stage.start()


if __name__ == "__main__":
    main(sys.argv[1:])
