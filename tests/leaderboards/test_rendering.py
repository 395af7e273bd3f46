"""What the renderings hold, and that names cannot break out of them."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest
from rich.console import Console

from evalsuite.errors import SpecError
from evalsuite.leaderboards import FORMATS, render, table
from evalsuite.leaderboards.rendering import console
from tests.leaderboards.frames import frame, number

ROWS = frame(
    number(model="good", value=0.712, low=0.68, high=0.741),
    number(model="fair_one", value=0.5, low=0.45, high=0.55, failures=2),
    number(model="<script>alert(1)</script>|x", value=0.1),
)


def _text(kind: str) -> str:
    return render(ROWS, table(ROWS), kind).decode()


def test_markdown_has_bold_best_underlined_second_and_intervals() -> None:
    lines = _text("md").splitlines()
    assert lines[0] == "| model | vqa<br>accuracy ↑ |"
    assert lines[2] == "| good | **71.2** <sub>68.0–74.1</sub> |"
    assert lines[3] == "| fair_one | <u>50.0</u>‡ <sub>45.0–55.0</sub> |"
    assert lines[4] == "| &lt;script>alert(1)&lt;/script>\\|x | 10.0 |"
    assert "‡ failed samples, not in the score: fair_one on vqa (2 of 100)." in lines[-1]


def test_latex_is_a_booktabs_tabular_with_escaped_names() -> None:
    text = _text("latex")
    assert r"\textbf{71.2} {\scriptsize 68.0--74.1} \\" in text
    assert r"fair\_one & \underline{50.0}\textsuperscript{\ddag{}}" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert all(line.count("&") == 1 for line in text.splitlines() if line.endswith(r"\\"))


def test_names_neither_format_the_text_around_them_nor_end_a_comment() -> None:
    odd = "a*b*c `d` __e__ f_g ~h~ &lt; [i](https://x)\nj <k>"
    rows = frame(number(model=odd, failures=1), number(model="other"))
    md = render(rows, table(rows), "md").decode()
    escaped = r"a\*b\*c \`d\` \_\_e\_\_ f_g \~h\~ &amp;lt; [i\](https://x) j &lt;k>"
    assert md.count(escaped) == 2, "in the row and in the note"
    tex = render(rows, table(rows), "latex").decode()
    assert r"\textless{}k\textgreater{}" in tex
    assert all(line.startswith("%") for line in tex.split("\\end{tabular}\n")[1].splitlines())


def test_html_stands_alone_and_escapes_everything() -> None:
    text = _text("html")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert not re.search(r"(src|href)=|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert text.count('class="whisker"') == 2


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_machine_formats_hold_the_whole_frame(kind: str) -> None:
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}[kind]
    found = read(io.BytesIO(render(ROWS, table(ROWS), kind)))  # type: ignore[operator]
    assert list(found.columns) == list(ROWS.columns)
    assert found["value"].tolist() == ROWS["value"].tolist()
    assert found["high"].isna().tolist() == [False, False, True]


def test_the_console_shows_numbers_over_their_intervals() -> None:
    out = Console(file=io.StringIO(), width=100)
    out.print(console(table(ROWS)))
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"good +71\.2", text)
    assert "68.0–74.1" in text


def test_an_unknown_format_names_the_known() -> None:
    with pytest.raises(SpecError, match="xlsx") as caught:
        render(ROWS, table(ROWS), "xlsx")
    assert all(kind in caught.value.remedy for kind in FORMATS)
