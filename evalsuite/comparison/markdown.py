"""A comparison as Markdown: short enough for a comment on a pull request, details folded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.comparison.comparing import Comparison
from evalsuite.comparison.flips import Flip
from evalsuite.comparison.wording import foot, p_text, summary
from evalsuite.content import Image
from evalsuite.durable import write_file
from evalsuite.errors import EvalsuiteError

_MARKS = {"better": "🟢", "worse": "🔴", "equivalent": "⚪", "no evidence": "⚪"}
_LONGEST = 300
"""Characters of a prompt or an answer."""
COMMENT = 65_000
"""Characters of a comment: GitHub takes 65,536."""
_ROWS = 100
"""A longer table may be cut, so it begins with what changed."""


@dataclass(slots=True)
class _Part:
    """A part of the comment.

    Args:
        items: its items, each one or several lines; those at the end are left out first.
        what: what the items are, where some are left out.
        before, after: lines around the items, shown while there is an item.
    """

    items: list[str]
    what: str
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    left_out: int = 0

    def cut(self, excess: int) -> None:
        """Leaves out items from the end until they are as long as `excess`, or none is left."""
        while self.items and excess > 0:
            excess -= len(self.items.pop()) + 1
            self.left_out += 1

    def lines(self) -> list[str]:
        if not self.items:
            return []
        return [*self.before, *self.items, *self.after]


def markdown(
    comparison: Comparison,
    flips: Sequence[Flip] = (),
    images: Path | None = None,
    *,
    limit: int | None = COMMENT,
) -> str:
    """The comparison as Markdown of GitHub.

    Args:
        flips: samples to list in a fold.
        images: folder that the images of the flips are copied to, named by their content; links are
            `FOLDERNAME/FILE`, for a Markdown file that lies beside it. None: images are counted, not shown.
        limit: most characters. Longer ones lose flips first, then details, notes, rows without evidence,
            other rows, and failed gates, each from the end, and say how many are left out. None: the whole.

    Raises:
        StoreError: the folder cannot be written.
    """
    mark = "✅" if comparison.passed else "❌"
    head = [
        f"### {mark} evalsuite: {_inline(comparison.base)} → {_inline(comparison.candidate)}",
        "",
        f"**{_inline(summary(comparison))}**",
    ]
    rows = _rows(comparison)
    failed = _Part(
        [
            f"- ❌ **{_inline(' '.join(filter(None, (c.task, c.metric, c.group))))}** ({c.rule}): "
            f"{_inline(c.message)}"
            for c in comparison.failed
        ],
        "failed gates", [""],
    )  # fmt: skip
    notes = _Part([f"- ⚠️ {_inline(note)}" for note in comparison.notes], "notes", [""])
    details, flipped = _details(comparison), _flips(flips, images)
    parts = (rows, failed, notes, details, flipped)

    def text() -> str:
        lines = [*head, *(line for part in parts for line in part.lines())]
        if cut := [f"{part.left_out:,} {part.what}" for part in parts if part.left_out]:
            lines += ["", f"Too long for a comment: {', '.join(cut)} are in the JSON file only."]
        return "\n".join(lines) + "\n"

    for part in (flipped, details, notes, rows, failed):
        while limit is not None and part.items and len(text()) > limit:
            part.cut(len(text()) - limit)
    return text()


def _rows(comparison: Comparison) -> _Part:
    """The table; where it is cut, what shows no difference goes first."""
    shown = list(comparison.rows)
    if len(shown) > _ROWS:  # a table that may be cut
        shown.sort(key=lambda row: row.verdict not in ("better", "worse"))
    items = []
    for row in shown:
        arrow = "↑" if row.metric.higher_is_better else "↓"
        metric = _inline(" ".join(filter(None, (row.metric.name, row.group))))
        items.append(
            f"| {_inline(row.task)} | {metric} {arrow} | {row.shown(row.difference.a)} "
            f"| {row.shown(row.difference.b)} | **{row.shown(row.difference.value, signed=True)}** "
            f"| {row.interval} | {p_text(row.p)} | {_MARKS[row.verdict]} {row.verdict} |"
        )
    header = [
        "",
        "| task | metric | base | candidate | difference | interval | p | verdict |",
        "| --- | --- | ---: | ---: | ---: | :---: | ---: | --- |",
    ]
    return _Part(items, "rows", header, ["", f"<sub>{foot(comparison)}</sub>"])


def _details(comparison: Comparison) -> _Part:
    lines = []
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
    before = ["", "<details><summary>How each number was compared, and every gate</summary>", ""]
    return _Part(lines, "details", before, ["", "</details>"])


def _flips(flips: Sequence[Flip], images: Path | None) -> _Part:
    items, task = [], ""
    for flip in flips:
        lines = []
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
        items.append("\n".join(lines))
    before = ["", f"<details><summary>{len(flips)} samples whose score changed most</summary>"]
    return _Part(items, "samples", before, ["", "</details>"])


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
