"""Pages of the documentation site that are generated: the README as its start, the API and task reference.

`mkdocs build --strict` runs these; a link that leads nowhere fails the build. After the pages, a report about
two reference rows on the miniature is written to `example-report/`, so that the site shows a live one.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))
import notebooks

ROOT = Path(__file__).resolve().parents[2]

MODULES = {
    "evalsuite": (
        "evalsuite",
        "Functions for notebooks and scripts; `evalsuite --help` has the same as commands.",
    ),
    "task": ("evalsuite.task", "What a benchmark plugin is made of."),
    "model": ("evalsuite.model", "What a model adapter is made of."),
    "content": ("evalsuite.content", "What prompts and answers are made of."),
    "request": ("evalsuite.request", "What is asked of a model, and what comes back."),
    "errors": ("evalsuite.errors", "Errors, each with what is wrong, where, and the remedy."),
    "metrics": (
        "evalsuite.task.metrics",
        "Exact scorers, compared with the official implementations in the tests.",
    ),
    "stats": ("evalsuite.stats", "Intervals, tests and sample sizes."),
    "dreamllm": ("evalsuite.dreamllm", "The DreamLLM model."),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    pages = {
        "index.md": _moved((ROOT / "README.md").read_text(encoding="utf-8")),
        "contributing.md": _moved((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")),
        "changelog.md": _moved((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")),
        "results.md": _moved((ROOT / "results/README.md").read_text(encoding="utf-8"), "results/"),
        "mini-checkpoints.md": _moved(
            (ROOT / "baselines/mini/checkpoints/README.md").read_text(encoding="utf-8"), "baselines/"
        ),
        "reference/tasks.md": _tasks(),
        "reference/models.md": _models(),
        "how-do-i.md": _how_do_i(),
        **{
            f"notebooks/{name.removesuffix('.ipynb')}.md": notebooks.markdown(name)
            for name in notebooks.names()
        },
        **{f"reference/{name}.md": _module(*about) for name, about in MODULES.items()},
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for image in sorted((ROOT / "results/leaderboards").glob("*.png")):
        files.append(File.generated(config, f"leaderboards/{image.name}", abs_src_path=str(image)))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    """Writes the example report, unless `EVALSUITE_DOCS_REPORT=no`."""
    if os.environ.get("EVALSUITE_DOCS_REPORT") == "no":
        return
    import evalsuite

    target = Path(config.site_dir) / "example-report"
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        for model in ("question-prior", "random"):
            evalsuite.run(model, ["mini-vqav2", "mini-coco-t2i"][: 2 if model == "random" else 1],
                          runs / model, limit=60)  # fmt: skip
        shutil.rmtree(target, ignore_errors=True)
        evalsuite.write_report([runs], target)


def _moved(text: str, base: str = "") -> str:
    """Links of a file outside docs/, as they are from the site's top."""

    def link(match: re.Match[str]) -> str:
        shown, target = match.groups()
        target = re.sub(r"^docs/", "", target)
        known = {
            "results/README.md": "results.md",
            "README.md": "index.md",
            "../README.md": "index.md",
            "CONTRIBUTING.md": "contributing.md",
            "CHANGELOG.md": "changelog.md",
            "baselines/mini/checkpoints/README.md": "mini-checkpoints.md",
            "../baselines/mini/checkpoints/README.md": "mini-checkpoints.md",
        }
        if target in known:
            return f"{shown}({known[target]})"
        if re.fullmatch(r"(results/)?leaderboards/[\w-]+\.png", target):
            return f"{shown}({target.removeprefix('results/')})"
        if target.startswith("../docs/"):
            return f"{shown}({target.removeprefix('../docs/')})"
        outside = (
            not target.startswith(("http", "#", "mailto"))
            and not (ROOT / "docs" / target.split("#")[0]).exists()
        )
        return shown[1:-1].lstrip("[") if outside else f"{shown}({target})"

    return re.sub(r"(!?\[[^\]]*\])\(([^)\s]+)\)", link, text)


def _module(module: str, about: str) -> str:
    return f"# {module}\n\n{about}\n\n::: {module}\n"


def _benchmarks() -> list[Any]:
    import evalsuite_tasks

    from evalsuite.task.schema import load

    folder = Path(evalsuite_tasks.__file__).parent
    paths = sorted(path for path in folder.rglob("*.yaml") if path.parent.name != "suites")
    return [load(path) for path in paths]


def _tasks() -> str:
    lines = [
        "# Tasks",
        "",
        "Generated from the registry. `evalsuite show task NAME` shows one with its prompts.",
    ]
    found = _benchmarks()
    for family in sorted({one.family for one in found}):
        lines += ["", f"## {family}", ""]
        for one in (one for one in found if one.family == family):
            headline = next(metric.name for metric in one.metrics if metric.headline)
            count = f", {one.count:,} samples" if one.count else ""
            lines += [
                f"### {one.name} {{ #{one.name.replace('.', '-')} }}", "",
                f"{one.title}. Version {one.version}.", "",
                "| | |", "|---|---|",
                f"| split | {one.split}{count} |",
                f"| metrics | {', '.join(metric.name for metric in one.metrics)} (headline: {headline}) |",
                f"| protocols | {', '.join(f'`{name}`' for name in one.protocols)} |",
                f"| scoring rules | {', '.join(f'`{name}`' for name in one.rules)} |",
                f"| licence of the data | {one.licence} |",
                f"| source | {one.home} |", "",
            ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _models() -> str:
    import evalsuite

    models = evalsuite.list_models()
    lines = ["# Models", "", "Generated from the registry; [models](../models.md) explains the adapters.", "",
             "| model | can | |", "|---|---|---|"]  # fmt: skip
    lines += [
        f"| `{row.name}{':…' if row.takes_argument else ''}` | {', '.join(row.capabilities)} | {row.title} |"
        for row in models.itertuples(index=False)
    ]
    return "\n".join(lines) + "\n"


def _how_do_i() -> str:
    """Questions with the command that answers them: the fixed ones, then one per benchmark and suite."""
    import evalsuite

    text = (Path(__file__).parent / "how-do-i.md").read_text(encoding="utf-8")
    lines = [text, "## Measure a benchmark", ""]
    for one in _benchmarks():
        get = next((source.get for source in one.sources if source.get), "")
        data = "" if any(source.place for source in one.sources) else " --data FOLDER"
        where = f" Files: {get}." if get and data else ""
        lines += [
            f"- **{one.title}** ([{one.name}](reference/tasks.md#{one.name.replace('.', '-')})):",
            f"  `evalsuite run --model MODEL --task {one.name}{data} --out runs/{one.name}`.{where}",
        ]
    lines += ["", "## Measure a suite", ""]
    for row in evalsuite.list_suites().itertuples(index=False):
        lines += [
            f"- **{row.title}**: `evalsuite run --model MODEL --suite {row.name} --out runs/{row.name}`"
        ]
    return "\n".join(lines) + "\n"
