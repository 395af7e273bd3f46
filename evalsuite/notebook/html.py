"""Samples and tables as HTML for notebooks. What a model or a data set said is text: escaped, never run."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

from evalsuite.content import Image, Message, Text
from evalsuite.errors import EvalsuiteError
from evalsuite.notebook.sample import SampleView, Turn
from evalsuite.request import ChoiceResponse, DocumentResponse, ScoreChoices

_MIME = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_LARGEST = 4 << 20
"""Larger files are not put into a notebook, which would keep them for ever."""
_LONGEST = 20_000
"""Longer texts are cut, with their length given."""

_STYLE = """<style>
.evalsuite{font:13px/1.45 system-ui,sans-serif;max-width:60rem}
.evalsuite table{border-collapse:collapse;margin:0}
.evalsuite th,.evalsuite td{text-align:left;vertical-align:top;padding:2px 14px 2px 0}
.evalsuite th{font-weight:600;white-space:nowrap}
.evalsuite .frame{overflow-x:auto}.evalsuite .frame td{white-space:nowrap}
.evalsuite th.number{text-align:right}
.evalsuite td.number{text-align:right;font-variant-numeric:tabular-nums}
.evalsuite pre{white-space:pre-wrap;overflow-wrap:anywhere;max-height:16rem;overflow:auto;margin:0;
font:12px/1.45 ui-monospace,monospace;background:none}
.evalsuite img{max-width:256px;max-height:256px;min-width:64px;margin:2px 6px 2px 0;image-rendering:auto}
.evalsuite .small{image-rendering:pixelated;min-width:128px}
.evalsuite .faint{opacity:.65}
.evalsuite .better{color:#1a7f37}.evalsuite .worse,.evalsuite .failed{color:#cf222e}
</style>"""


def page(body: str) -> str:
    """A block with the style that all of evalsuite's have in notebooks."""
    return f'{_STYLE}<div class="evalsuite">{body}</div>'


def text(value: Any) -> str:
    """Escaped text; lone surrogates, which no encoding can carry, and NUL stand as replacement characters."""
    said = str(value)
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]} … ({len(said):,} characters)"
    clean = said.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    return html.escape(clean, quote=True)


def image_html(image: Image) -> str:
    """An image as a data URI; an error message where it cannot be shown."""
    try:
        data = image.read()
    except EvalsuiteError as error:
        return f'<span class="failed">{text(error.what)}</span>'
    mime = next((mime for signature, mime in _MIME if data.startswith(signature)), "")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        mime = "image/webp"
    if not mime or len(data) > _LARGEST:
        why = f"{len(data):,} bytes" if mime else "not PNG, JPEG, GIF or WebP"
        return f'<span class="faint">[{text(image.label)}: {why}]</span>'
    kind = ' class="small"' if len(data) < 16_000 else ""
    encoded = base64.b64encode(data).decode()
    return f'<img{kind} alt="{text(image.label)}" src="data:{mime};base64,{encoded}">'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; `head` is text."""
    top = "".join(f"<th>{text(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<tr>{top}</tr>' if head else ''}{body}</table>"


def sample_html(view: SampleView) -> str:
    """A whole sample: turns, reference, scores."""
    rows: list[tuple[str, str]] = []
    for i, turn in enumerate(view.turns):
        number = f" {i + 1}" if len(view.turns) > 1 else ""
        if turn.request is not None:
            rows += [(f"{message.role}{number}", _message(message)) for message in turn.request.messages]
            if turn.request.prefill:
                rows.append(("prefill", _pre(turn.request.prefill)))
        rows.append((f"response{number}", _response(turn)))
    if view.reference is not None:
        rows.append(("reference", "".join(map(image_html, view.pictured)) + _pre(view.expected)))
    if view.parsed:
        rows.append(("parsed", _pre(view.parsed)))
    if view.scores:
        told = ", ".join(f"{name} {value:.4g}" for name, value in view.scores.items())
        rows.append(("scores", text(told)))
    if view.labels:
        rows.append(("labels", text(", ".join(f"{name}={value}" for name, value in view.labels.items()))))
    if view.failure:
        rows.append(("failed", f'<span class="failed">{text(view.failure)}</span>'))
    if view.note:
        rows.append(("note", f'<span class="faint">{text(view.note)}</span>'))
    body = "".join(f"<tr><th>{text(name)}</th><td>{content}</td></tr>" for name, content in rows)
    title = f"<b>{text(view.task)}</b> {text(view.id)} <span class='faint'>{text(view.model)}</span>"
    return page(f"<div>{title}</div><table>{body}</table>")


def _message(message: Message) -> str:
    return "".join(_pre(part.text) if isinstance(part, Text) else image_html(part) for part in message.parts)


def _response(turn: Turn) -> str:
    if turn.response is None:
        return f'<span class="failed">{text(turn.error)}</span>'
    if isinstance(turn.response, DocumentResponse):
        parts = turn.response.parts
        return "".join(_pre(part.text) if isinstance(part, Text) else image_html(part) for part in parts)
    if isinstance(turn.response, ChoiceResponse):
        output = turn.request.output if turn.request else None
        choices = output.choices if isinstance(output, ScoreChoices) else ()
        rows = []
        for i, value in enumerate(turn.response.log_likelihoods):
            name = text(choices[i]) if i < len(choices) else f"choice {i + 1}"
            mark = "<b>" if i == turn.response.best else ""
            rows.append((f"{mark}{name}{'</b>' if mark else ''}", f"{value:.4f}"))
        return table(("choice", "log-likelihood"), rows)
    if turn.drawn:
        return "".join(map(image_html, turn.drawn))
    return _pre(turn.answered)


def _pre(said: str) -> str:
    return f"<pre>{text(said)}</pre>"
