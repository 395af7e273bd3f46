"""`evalsuite parity`: official packages beside ours, on the user's own inputs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.as_json import JsonOption, print_json
from evalsuite.cli.common import output, say
from evalsuite.grids import Grid

if TYPE_CHECKING:
    from evalsuite.parity import Environments, Parity

DIFFERENT = 1
"""Exit code where a value differs, a package failed, or nothing was compared."""

_Python = Annotated[
    list[str] | None,
    typer.Option(
        "--python",
        metavar="ENV",
        help="Environment folder or interpreter with the packages; PACKAGE=ENV for one of them. Repeatable. "
        "Default: this environment.",
    ),
]
_MakeEnv = Annotated[
    Path | None,
    typer.Option(
        "--make-env",
        metavar="FOLDER",
        help="Make an environment for each package in this folder (downloads), and use it again.",
    ),
]
_Device = Annotated[str, typer.Option(help="Torch device of both sides.")]

parity = typer.Typer(
    help="Run official implementations beside ours on your own files, and compare the values.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(parity, name="parity")


@parity.command("images")
def images(
    generated: Annotated[Path, typer.Argument(help="Folder of generated images.")],
    reference: Annotated[Path, typer.Argument(help="Folder of reference images.")],
    package: Annotated[
        list[str] | None,
        typer.Option(
            help="clean-fid, torch-fidelity, pytorch-fid or torchmetrics; repeatable. Default: all."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Inception weights: state dict, or NVIDIA's TorchScript for clean-fid alone."),
    ] = None,
    dims: Annotated[str, typer.Option(help="Feature layer: 64, 192, 768 or 2048.")] = "2048",
    subset_size: Annotated[int, typer.Option(help="Images per subset of KID.", min=2)] = 1000,
    subsets: Annotated[int, typer.Option(help="Subsets of KID.", min=1)] = 100,
    python: _Python = None,
    make_env: _MakeEnv = None,
    device: _Device = "auto",
    json: JsonOption = False,
) -> None:
    """FID, KID, precision/recall, Inception Score of two folders."""
    from evalsuite.parity import IMAGE_PACKAGES, compare_images

    _show(
        compare_images(
            generated, reference, _environments(python, make_env), packages=package or IMAGE_PACKAGES,
            weights=weights, dims=dims, device=device, subsets=subsets, subset_size=subset_size,
        ),
        json,
    )  # fmt: skip


@parity.command("pairs")
def pairs(
    first: Annotated[Path, typer.Argument(help="Folder of images.")],
    second: Annotated[Path, typer.Argument(help="Folder of images of the same names.")],
    python: _Python = None,
    make_env: _MakeEnv = None,
    json: JsonOption = False,
) -> None:
    """PSNR, SSIM, MSE of pairs of images, beside torchmetrics."""
    from evalsuite.parity import compare_pairs

    _show(compare_pairs(first, second, _environments(python, make_env)), json)


@parity.command("captions")
def captions(
    predictions: Annotated[Path, typer.Argument(help="COCO results: [{image_id, caption}].")],
    references: Annotated[Path, typer.Argument(help="COCO captions: {images, annotations}.")],
    meteor: Annotated[bool, typer.Option(help="METEOR too (Java).")] = True,
    python: _Python = None,
    make_env: _MakeEnv = None,
    json: JsonOption = False,
) -> None:
    """BLEU, ROUGE-L, CIDEr-D, METEOR, beside pycocoevalcap."""
    from evalsuite.parity import compare_captions

    found = compare_captions(predictions, references, _environments(python, make_env), meteor=meteor)
    _show(found, json)


@parity.command("yes-no")
def yes_no(
    answers: Annotated[Path, typer.Argument(help="JSON lines: {answer, label}.")],
    rule: Annotated[str, typer.Option(help="How answers are read (POPE).")] = "official",
    python: _Python = None,
    make_env: _MakeEnv = None,
    json: JsonOption = False,
) -> None:
    """Accuracy, precision, recall, F1 of yes/no answers, beside torchmetrics."""
    from evalsuite.parity import compare_yes_no

    _show(compare_yes_no(answers, _environments(python, make_env), rule=rule), json)


@parity.command("language")
def language(
    model: Annotated[str, typer.Argument(metavar="FOLDER", help="Checkpoint of a language model.")],
    questions: Annotated[Path, typer.Argument(help="JSON lines: {context, choices, answer}.")],
    python: _Python = None,
    make_env: _MakeEnv = None,
    device: _Device = "auto",
    json: JsonOption = False,
) -> None:
    """Multiple choice by likelihood of a checkpoint, beside lm-eval."""
    from evalsuite.parity import compare_language

    _show(compare_language(model, questions, _environments(python, make_env), device=device), json)


def _environments(python: list[str] | None, made_in: Path | None) -> Environments:
    from evalsuite.parity import PACKAGES, Environments

    told = logging.getLogger("evalsuite.parity")
    if told.getEffectiveLevel() == logging.WARNING:  # the default: a step can take minutes
        told.setLevel(logging.INFO)
    pythons = {}
    for text in python or ():
        name, equals, value = text.partition("=")
        if equals and name in PACKAGES:
            pythons[name] = value
        else:
            pythons[""] = text
    return Environments(pythons, made_in)


def _show(found: Parity, as_json: bool) -> None:
    if as_json:
        lines = list(found.lines)
        print_json({"about": dict(found.about), "passed": found.passed, "lines": lines})
    else:
        table = Grid(
            "metric", "theirs", "ours", "difference", "verdict", right=("theirs", "ours", "difference")
        )
        last = ""
        for line in found.lines:
            if line.package != last:
                last = line.package
                table.add_row(f"{line.package} {line.version}".rstrip())
            table.add_row(
                f"  {line.metric} {line.mode}".rstrip(), _number(line.theirs), _number(line.ours),
                "" if line.difference is None else f"{line.difference:.1e}", line.verdict,
            )  # fmt: skip
        output().print(table)
        notes: dict[tuple[str, str], list[str]] = {}
        for line in found.lines:
            if line.note and line.verdict != "equal":
                notes.setdefault((line.package, line.note), []).append(line.metric)
        for (package, note), metrics in notes.items():
            say(f"{package}{', ' if any(metrics) else ''}{', '.join(metrics)}: {note}")
    if not found.compared:
        say("Nothing was compared.", err=True)
    if not found.passed:
        raise typer.Exit(DIFFERENT)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.7g}"
