"""A comparison as Markdown: short enough for a comment on a pull request, details folded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from evalsuite.comparison.comparing import Comparison
from evalsuite.comparison.flips import Flip
from evalsuite.comparison.wording import foot, p_text, summary
from evalsuite.content import Image
from evalsuite.durable import write_file
from evalsuite.errors import EvalsuiteError

_MARKS = {"better": "🟢", "worse": "🔴", "equivalent": "⚪", "no evidence": "⚪"}
_LONGEST = 300
"""Characters of a prompt or an answer; a comment on a pull request may have 65,536 in all."""


def markdown(comparison: Comparison, flips: Sequence[Flip] = (), images: Path | None = None) -> str:
    """The comparison as Markdown of GitHub.

    Args:
        flips: samples to list in a fold.
        images: folder that the images of the flips are copied to, named by their content; links are
            `FOLDERNAME/FILE`, for a Markdown file that lies beside it. None: images are counted, not shown.

    Raises:
        StoreError: the folder cannot be written.
    """
    mark = "✅" if comparison.passed else "❌"
    lines = [
        f"### {mark} evalsuite: {_inline(comparison.base)} → {_inline(comparison.candidate)}",
        "",
        f"**{_inline(summary(comparison))}**",
        "",
        "| task | metric | base | candidate | difference | interval | p | verdict |",
        "| --- | --- | ---: | ---: | ---: | :---: | ---: | --- |",
    ]
    for row in comparison.rows:
        arrow = "↑" if row.metric.higher_is_better else "↓"
        metric = _inline(" ".join(filter(None, (row.metric.name, row.group))))
        lines.append(
            f"| {_inline(row.task)} | {metric} {arrow} | {row.shown(row.difference.a)} "
            f"| {row.shown(row.difference.b)} | **{row.shown(row.difference.value, signed=True)}** "
            f"| {row.interval} | {p_text(row.p)} | {_MARKS[row.verdict]} {row.verdict} |"
        )
    lines += ["", f"<sub>{foot(comparison)}</sub>"]
    if comparison.failed:
        lines.append("")
        lines += [
            f"- ❌ **{_inline(' '.join(filter(None, (c.task, c.metric, c.group))))}** ({c.rule}): "
            f"{_inline(c.message)}"
            for c in comparison.failed
        ]
    if comparison.notes:
        lines.append("")
        lines += [f"- ⚠️ {_inline(note)}" for note in comparison.notes]
    lines += _details(comparison)
    if flips:
        lines += _flips(flips, images)
    return "\n".join(lines) + "\n"


def _details(comparison: Comparison) -> list[str]:
    lines = ["", "<details><summary>How each number was compared, and every gate</summary>", ""]
    for row in comparison.rows:
        found = row.difference
        changed = ""
        if found.better + found.worse:
            changed = f"; better {found.better}, worse {found.worse}"
        lines.append(f"- {_inline(row.name)}: {found.n} samples, {_inline(found.method)}{changed}")
    lines += [
        f"- {'✅' if c.passed else '❌'} {_inline(' '.join(filter(None, (c.task, c.metric, c.group))))} "
        f"({c.rule}): {_inline(c.message)}"
        for c in comparison.checks
    ]
    for name, paths in (("base", comparison.base_paths), ("candidate", comparison.candidate_paths)):
        lines.append(f"- {name}: {', '.join(f'`{path}`' for path in paths)}")
    return [*lines, "", "</details>"]


def _flips(flips: Sequence[Flip], images: Path | None) -> list[str]:
    lines = ["", f"<details><summary>{len(flips)} samples whose score changed most</summary>"]
    task = ""
    for flip in flips:
        if flip.task != task:
            task = flip.task
            lines += ["", f"**{_inline(task)}** ({_inline(flip.metric)})", ""]
        lines.append(f"- {flip.direction}, {flip.before:.4g} → {flip.after:.4g}: {_inline(flip.id)}")
        shown = flip.candidate if flip.candidate.images or flip.candidate.prompt else flip.base
        if shown.prompt:
            lines.append(f"  - prompt: {_inline(shown.prompt)}{_image_links(shown.images, images)}")
        elif shown.note:
            lines.append(f"  - {_inline(shown.note)}")
        if shown.expected:
            lines.append(f"  - reference: {_inline(shown.expected)}")
        for name, view in (("base", flip.base), ("candidate", flip.candidate)):
            understood = ""
            if view.parsed and view.parsed != view.said:
                understood = f" (parsed as {_inline(view.parsed)})"
            generated = _image_links(view.drawn, images)
            only_images = generated and set(view.said.split()) == {"[image]"}
            said = "" if only_images else _inline(view.said or "nothing")
            lines.append(f"  - {name}: {said}{understood}{generated}")
    return [*lines, "", "</details>"]


def _image_links(images: Sequence[Image], folder: Path | None) -> str:
    if not images:
        return ""
    if folder is None:
        return f" [{len(images)} image{'s' if len(images) > 1 else ''}]"
    found = []
    for image in images:
        name = _copy(image, folder)
        found.append(f'<img src="{folder.name}/{name}" width="128">' if name else "[image cannot be read]")
    return " " + " ".join(found)


def _copy(image: Image, folder: Path) -> str:
    """The file's name in the folder: its digest, never what a model or a data set calls it."""
    try:
        data = image.read()
    except EvalsuiteError:
        return ""
    signatures = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"RIFF", ".webp"), (b"GIF8", ".gif"))
    suffix = next((suffix for start, suffix in signatures if data.startswith(start)), ".bin")
    name = hashlib.sha256(data).hexdigest()[:24] + suffix
    if not (folder / name).exists():
        write_file(folder / name, data, remedy="Choose another --images.")
    return name


def _inline(said: str) -> str:
    """Text of a model or a data set on one line, so that neither Markdown nor HTML in it works."""
    text = " ".join(str(said).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} …"
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)
    # Neither a mention nor a link: a zero-width character breaks both.
    return re.sub(r"(?<=@)|(?=://)|(?<=www)(?=\.)", "\u200b", text)
