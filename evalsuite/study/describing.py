"""A study's results in words and tables: for the terminal, for a file, and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from evalsuite.study.results import Results, Share

_LEVELS = (
    (0.0, "no better than chance"),
    (0.2, "slight"),
    (0.4, "fair"),
    (0.6, "moderate"),
    (0.8, "substantial"),
)


def markdown(results: Results, bar: float | None = None) -> str:
    """The results as GitHub's Markdown.

    Args:
        bar: a share in [0, 1] that each is compared with (0.3 is the Turing test's in the DreamLLM paper).
    """
    key = results.key
    if key.mode == "rate":
        head = f"“{key.question}” — share of “{key.answers[0]}”"
        columns = ["source", "share", "votes", "items"]
    else:
        head = f"“{key.question}” — share of preference, no preference counting half"
        columns = ["pair", "share of the first", "votes", "items", "first", "second", "neither"]
    columns += [f"above {100 * bar:g} %"] if bar is not None else []
    lines = [f"**{key.task}** ({key.protocol}): {_escaped(head)}", ""]
    for topics in (False, True):
        shares = [share for share in results.shares if bool(share.topic) == topics]
        if not shares:
            continue
        names = ["topic", *columns] if topics else columns
        lines += [f"| {' | '.join(names)} |", f"| {' | '.join(['---'] + ['---:'] * (len(names) - 1))} |"]
        for share in shares:
            cells = _cells(share, key.mode == "compare", bar)
            lines.append(f"| {' | '.join([_escaped(share.topic), *cells] if topics else cells)} |")
        lines.append("")
    return "\n".join([*lines, *(f"- {line}" for line in remarks(results))]) + "\n"


def remarks(results: Results) -> list[str]:
    """Agreement, intervals and what was left out, one line each."""
    agreement = results.agreement
    found = []
    if agreement.raters > 1:
        alpha, kappa = _number(agreement.alpha), _number(agreement.fleiss)
        found.append(
            f"{agreement.raters} raters. Krippendorff's alpha {alpha} ({_level(agreement.alpha)}) over "
            f"{agreement.shared} items; Fleiss' kappa {kappa} over the {agreement.complete} that all answered"
        )
    else:
        found.append("one rater: no agreement to report")
    methods = sorted({share.method for share in results.shares if not share.topic})
    found.append(f"intervals at 95 %: {'; '.join(methods)}")
    return [*found, *results.notes]


def as_json(results: Results) -> str:
    """Everything, with the design of the study but without its items. NaN is null."""
    design = results.key.model_dump(exclude={"items"})
    value: dict[str, Any] = {
        "study": design,
        "shares": [asdict(share) for share in results.shares],
        "agreement": asdict(results.agreement),
        "notes": list(results.notes),
    }
    return json.dumps(_plain(value), indent=1, ensure_ascii=False) + "\n"


def _cells(share: Share, compared: bool, bar: float | None) -> list[str]:
    name = f"{share.source} / {share.other}" if compared else share.source
    ends = "" if math.isnan(share.low) else f" ({100 * share.low:.1f}–{100 * share.high:.1f})"
    cells = [_escaped(name), f"{100 * share.value:.1f} %{ends}", str(share.votes), str(share.items)]
    if compared:
        cells += [str(share.for_it), str(share.against), str(share.neither)]
    if bar is not None:
        cells.append({True: "yes", False: "no", None: "not decided"}[share.passes(bar)])
    return cells


def _level(value: float) -> str:
    """Landis and Koch's words (1977)."""
    if math.isnan(value):
        return "not defined"
    return next((word for end, word in _LEVELS if value <= end), "almost perfect")


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
