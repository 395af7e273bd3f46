"""Two processes train what one does, also when they are killed; precision is measured; curves are kept."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.errors import EvalsuiteError

pytest.importorskip("torch")
pytest.importorskip("diffusers")

PROGRAM = (
    "import sys, pathlib; from evalsuite.mini.training.run import train; "
    "recipe, work, processes, *stages = sys.argv[1:]; "
    "train(pathlib.Path(recipe), pathlib.Path(work), stages=stages, processes=int(processes))"
)


def _schedule(steps: int, batch: int) -> dict[str, Any]:
    # Float32, because a measurement on a busy machine may choose another format the second time.
    return {"steps": steps, "batch": batch, "lr": 3e-3, "warmup": 2, "save_every": 5, "log_every": 1,
            "precision": "float32"}  # fmt: skip


def _recipe() -> dict[str, Any]:
    """A decoder of a few thousand parameters and a language model of one layer."""
    return {
        "name": "toy", "seed": 0, "processes": 2,
        "data": {"ones": 16, "twos": 16, "threes": 8, "validation": 8, "edits": 4, "stories": 4,
                 "easy_vqa": False, "seed": 1},
        "vae": {"channels": [4, 4, 8, 8], "latent_channels": 4, "groups": 4, "layers": 1, "kl": 1e-6,
                "schedule": _schedule(6, 4)},
        "clip": {"width": 32, "layers": 2, "text_layers": 1, "heads": 2, "mlp": 64, "patch": 16,
                 "projection": 16, "words": 4.0, "easy_share": 0.0, "hard_pairs": True,
                 "schedule": _schedule(6, 4)},
        "diffusion": {"channels": [16, 16], "layers": 1, "transformer_layers": 1, "head_dim": 2, "groups": 8,
                      "context": 32, "text_layers": 1, "text_heads": 2, "text_mlp": 64, "max_length": 20,
                      "drop_caption": 0.1, "canonical": 0.5, "snr_gamma": 5.0, "blind": 0.25,
                      "latents": [16, 16, 8], "shares": [0.4, 0.5, 0.1], "check_every": 40, "check_scenes": 2,
                      "schedule": _schedule(80, 4)},
        "language": {"hidden": 32, "layers": 1, "heads": 2, "mlp": 64, "positions": 512, "drills": 0.4,
                     "lists": 0.2, "schedule": _schedule(40, 4)},
        "dream": {},
    }  # fmt: skip


LANES = ("data", "vae", "latents", "diffusion", "language")
RESULTS = ("parts/lm/model.safetensors", "parts/sd/unet/diffusion_pytorch_model.safetensors")


def _write(folder: Path, recipe: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _command(path: Path, work: Path, processes: int) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(path), str(work), str(processes), *LANES]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe trained by one process."""
    from evalsuite.mini.training.run import train

    work = tmp_path_factory.mktemp("alone")
    train(_write(work, _recipe()), work, stages=LANES, processes=1)
    return work


def _wait(condition: Any, seconds: float = 600) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_two_killed_processes_train_what_one_does(alone: Path, tmp_path: Path) -> None:
    path = _write(tmp_path, _recipe())
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(_command(path, tmp_path, 2), **quiet)  # type: ignore[call-overload]

    def both_saved() -> bool:
        lanes = [tmp_path / lane for lane in ("diffusion", "language")]
        return all(any(lane.glob("checkpoint-*/trainer_state.json")) for lane in lanes)

    assert _wait(lambda: both_saved() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "diffusion" / "training.json").exists(), "it was not killed in the middle"
    # The workers notice at their next step that their parent is gone.
    subprocess.run(_command(path, tmp_path, 2), check=True, **quiet)  # type: ignore[call-overload]
    for name in RESULTS:
        assert (tmp_path / name).read_bytes() == (alone / name).read_bytes(), name


def test_a_worker_whose_parent_is_gone_ends_before_it_is_trained(tmp_path: Path) -> None:
    path = _write(tmp_path, _recipe())
    from evalsuite.mini.training.progress import PARENT
    from evalsuite.mini.training.run import train

    train(path, tmp_path, stages=["data"])
    command = [sys.executable, "-m", "evalsuite.mini.training.worker", str(path), str(tmp_path), "language"]
    environment = {**os.environ, PARENT: "1"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "is gone" in found.stderr
    assert not (tmp_path / "language" / "training.json").exists()


def test_a_stage_that_fails_is_named_and_ends_the_training(tmp_path: Path) -> None:
    from evalsuite.mini.training.run import train

    recipe = _recipe()
    recipe["vae"]["channels"] = [4, 4, 8, 9]  # 9 channels do not fall into 4 groups
    path = _write(tmp_path, recipe)
    train(path, tmp_path, stages=["data"], processes=1)
    with pytest.raises(EvalsuiteError, match="'vae'"):
        train(path, tmp_path, stages=LANES, processes=2)
    assert not (tmp_path / "diffusion").exists()


def test_curves_hold_every_loss_and_check_in_order(alone: Path) -> None:
    from evalsuite.mini.training.progress import Curve

    rows = Curve(alone / "diffusion" / "curve.jsonl").rows()
    losses = [row["step"] for row in rows if "loss" in row]
    checks = [row["step"] for row in rows if "2_right" in row]
    assert losses == list(range(1, 81))
    assert checks == [40, 80]
    minutes = [row["minutes"] for row in rows]
    assert minutes == sorted(minutes)


def test_a_resumed_curve_drops_what_will_be_repeated(tmp_path: Path) -> None:
    from evalsuite.mini.training.progress import Curve

    curve = Curve(tmp_path / "curve.jsonl")
    for step in (5, 10, 15):
        curve.add({"step": step, "loss": 1 / step})
    with curve.path.open("a") as out:
        out.write('{"step": 20, "lo')
    assert [row["step"] for row in curve.rows()] == [5, 10, 15]
    curve.resume(10)
    curve.add({"step": 12, "loss": 0.1})
    assert [row["step"] for row in curve.rows()] == [5, 10, 12]


def test_progress_names_the_time_left(alone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from evalsuite.mini.training.run import train

    with caplog.at_level(logging.INFO, logger="evalsuite"):
        train(_write(tmp_path, _recipe()), tmp_path, stages=["data", "language"], processes=1)
    said = [r.message for r in caplog.records if r.message.startswith("language step 20/40")]
    assert said
    assert said[0].endswith("min left")


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [({"float32": 3.3, "bf16": 1.1}, "bf16"), ({"float32": 3.3, "bf16": 17.0}, "float32"),
     ({"float32": 1.0, "bf16": 0.95}, "float32")],
)  # fmt: skip
def test_the_faster_precision_is_chosen_and_a_tie_is_float32(seconds: dict[Any, float], chosen: str) -> None:
    from evalsuite.mini.training.precision import choose

    assert choose(seconds) == chosen


def test_precision_is_measured_once_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from evalsuite.mini.training import precision

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = torch.nn.Linear(4, 1)
            self.formats: list[bool] = []

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            self.formats.append(torch.is_autocast_enabled("cpu"))
            return {"loss": self.line(x + torch.rand_like(x)).square().mean()}

    model = Module()
    before, state = model.line.weight.clone(), torch.get_rng_state()
    first, seconds = precision.fastest(model, {"x": torch.ones(2, 4)}, tmp_path / "precision.json")
    assert set(model.formats) == {False, True}
    assert set(seconds) == {"float32", "bf16"}
    assert torch.equal(model.line.weight, before)
    assert model.line.weight.grad is None
    assert torch.equal(torch.get_rng_state(), state)
    other = "bf16" if first == "float32" else "float32"
    monkeypatch.setattr(precision, "choose", lambda seconds: other)
    assert precision.fastest(model, {}, tmp_path / "precision.json") == (first, seconds)


def test_a_record_says_in_which_precision_a_stage_was_trained(alone: Path, tmp_path: Path) -> None:
    from evalsuite.mini.training.run import train

    stored = json.loads((alone / "language" / "training.json").read_text())
    assert (stored["precision"], stored["step_seconds"]) == ("float32", {})
    recipe = _recipe()
    recipe["language"]["schedule"] |= {"precision": "auto", "steps": 5}
    train(_write(tmp_path, recipe), tmp_path, stages=["data", "language"], processes=1)
    measured = json.loads((tmp_path / "language" / "training.json").read_text())
    seconds = measured["step_seconds"]
    assert set(seconds) == {"float32", "bf16"}
    assert measured["precision"] == ("bf16" if seconds["bf16"] * 1.15 <= seconds["float32"] else "float32")
