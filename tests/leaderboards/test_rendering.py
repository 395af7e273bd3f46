"""What the renderings hold, and that names cannot break out of them."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from evalsuite.errors import SpecError
from evalsuite.leaderboards import FORMATS, render, table
from evalsuite.leaderboards.latex import latex
from evalsuite.leaderboards.rendering import markdown
from evalsuite.leaderboards.style import rounded, without_intervals
from evalsuite.leaderboards.terminal import console
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
    notes = tex.split("\\end{tabular}\n")[1].splitlines()
    assert all(line.startswith("\\") for line in notes), "a line feed in a name does not end a note"


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


def test_the_terminal_cuts_nothing_off_at_any_width() -> None:
    tasks = ("mini-vqav2", "mini-coco-caption", "mini-magicbrush", "mmbench-with-a-long-name")
    rows = frame(
        *(
            number(model=model, task=task, value=0.71, low=0.5, high=0.9)
            for model in ("dreamllm-mini-comprehension", "random")
            for task in tasks
        )
    )
    for width in (30, 44, 60, 80, 120, 240):
        out = Console(file=io.StringIO(), width=width)
        out.print(console(table(rows)))
        text = out.file.getvalue()  # type: ignore[attr-defined]
        assert max(map(len, text.splitlines())) <= width
        assert width < 60 or all(text.count(task) == 1 for task in tasks)
        assert text.count("50.0–90.0") == 2 * len(tasks), "every interval is whole"
        assert "…" not in text


def test_a_band_lists_the_models_that_have_a_number_in_it() -> None:
    rows = frame(
        number(model="reads", task="vqa"),
        number(model="draws", task="t2i"),
        number(model="draws", task="fid"),
    )
    out = Console(file=io.StringIO(), width=24)
    out.print(console(table(rows)))
    bands = out.file.getvalue().split("\n\n")  # type: ignore[attr-defined]
    assert [("reads" in band, "draws" in band) for band in bands[:2]] == [(True, False), (False, True)]


def test_intervals_can_be_left_out_and_marks_stay() -> None:
    shown = table(ROWS)
    bare = without_intervals(shown)
    assert "68.0" not in markdown(bare)
    assert "**71.2**" in markdown(bare)
    assert "‡" in markdown(bare)
    assert "intervals overlap" in markdown(bare), "the marks were made with them"


@pytest.mark.parametrize(
    ("half", "shown"), [(0.026, "82"), (0.0026, "81.7"), (0.00026, "81.7"), (0.26, "82"), (0.0, "81.7")]
)
def test_rounded_numbers_have_the_digits_that_their_interval_supports(half: float, shown: str) -> None:
    rows = frame(number(value=0.8169, low=0.8169 - half, high=0.8169 + half))
    assert f"| {shown} <sub>" in markdown(rounded(table(rows)))


def test_transposed_tables_have_models_as_columns() -> None:
    lines = render(ROWS, table(ROWS), "md", transposed=True).decode().splitlines()
    assert lines[0].startswith("| task | good | fair_one |")
    assert lines[2].startswith("| vqa<br>accuracy ↑ | **71.2** <sub>68.0–74.1</sub> |")


@pytest.mark.parametrize("settings", [{"transposed": True}, {"width": "3cm"}])
def test_settings_that_a_format_does_not_have_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="not for csv"):
        render(ROWS, table(ROWS), "csv", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", ["wide", "3", r"\input{x}", "3cm}", ""])
def test_what_is_no_tex_length_is_refused(width: str) -> None:
    with pytest.raises(SpecError, match="TeX length"):
        latex(table(ROWS), width=width)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (texlive-latex-extra)")
@pytest.mark.parametrize("transposed", [False, True])
def test_latex_compiles_and_fits_its_line(tmp_path: Path, transposed: bool) -> None:
    rows = frame(
        *(
            number(
                model=model,
                task=f"task_{task}&%#",
                value=-0.5,
                low=-0.7,
                high=-0.2,
                failures=task,
                limit=task,
            )
            for model in ("a_b^c~d\\e{f}", "100 % <i>", "third")
            for task in range(9)
        )
    )
    body = render(rows, table(rows), "latex", transposed=transposed).decode()
    packages = r"\usepackage{booktabs,adjustbox,threeparttable,textcomp,amssymb}"
    page = rf"\documentclass{{article}}{packages}\begin{{document}}\noindent {body}\end{{document}}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    made = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull" not in made.stdout


def test_an_unknown_format_names_the_known() -> None:
    with pytest.raises(SpecError, match="xlsx") as caught:
        render(ROWS, table(ROWS), "xlsx")
    assert all(kind in caught.value.remedy for kind in FORMATS)
