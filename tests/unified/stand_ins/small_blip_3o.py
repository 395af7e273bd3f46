# The adapter of BLIP3-o with a small diffusion transformer: the official code gives its size by the defaults
# of a class, not by the checkpoint's configuration.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "baselines" / "isolated" / "adapters"))


def load(options):
    import adapter_tools as tools

    tools.repository(options)
    shrink()
    import blip_3o

    return blip_3o.load(options)


def shrink():
    """One layer of width 56 in place of 24 of 1792."""
    from blip3o.model.multimodal_encoder import builder

    full = builder.NextDiTCrossAttnConfig

    class Small(full):
        def __init__(self, **given):
            super().__init__(**{"dim": 56, "n_layers": 1, "n_heads": 7, "n_kv_heads": 7, **given})

    builder.NextDiTCrossAttnConfig = Small
