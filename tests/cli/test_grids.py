"""Tables of listings at the widths of terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from evalsuite.grids import Grid

RUNS = (
    ("runs/llava-1.5-7b/vqav2-and-pope", "llava-1.5-7b", "214354/214354", "finished 2026-01-31 12:00"),
    ("runs/dreamllm-mini-comprehension", "dreamllm-mini-comprehension", "12/12", "killed, begun [v1]"),
)
ADDRESS = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


def _printed(table: Grid, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines()


def _runs() -> Grid:
    table = Grid("run", "model", "note", "answered", "last session")
    for run, model, answered, last in RUNS:
        table.add_row(run, model, "", answered, last)
    return table


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_word_is_broken_and_no_line_is_longer_than_the_terminal(width: int) -> None:
    lines = _printed(_runs(), width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    for row in RUNS:
        for cell in row:
            assert set(cell.split()) <= set(words)


def test_what_does_not_fit_stands_below_with_the_names_of_the_rows() -> None:
    lines = [line.rstrip() for line in _printed(_runs(), 80)]
    blank = lines.index("")
    assert lines[0].split() == ["run", "model", "answered"]
    assert lines[blank + 1].split() == ["run", "last", "session"]
    assert [line.split()[0] for line in lines[1:blank]] == [run for run, *_ in RUNS]
    assert [line.split()[0] for line in lines[blank + 2 :]] == [run for run, *_ in RUNS]


def test_a_wide_terminal_shows_one_table() -> None:
    lines = _printed(_runs(), 200)
    assert len(lines) == 1 + len(RUNS)


def test_a_column_without_text_is_left_out() -> None:
    assert "note" not in _printed(_runs(), 200)[0].split()


def test_an_address_that_fits_beside_nothing_stands_below_its_row() -> None:
    table = Grid("task", "samples", "where")
    table.add_row("coco-caption-karpathy", "5,000", ADDRESS)
    table.add_row("mini-vqav2", "1,000", "")
    lines = [line.rstrip() for line in _printed(table, 80)]
    assert lines[-3:] == ["task  where", "coco-caption-karpathy", f"  {ADDRESS}"]


def test_naming_columns_are_repeated_and_an_interval_is_never_folded() -> None:
    table = Grid("task", "metric", "interval", "verdict", keys=2, right=("interval",), whole=("interval",))
    for metric in ("CIDEr", "BLEU-4"):
        table.add_row("mini-coco-caption", metric, "-484.4 … -373.5", "no evidence of a difference")
    lines = [line.rstrip() for line in _printed(table, 50)]
    assert "mini-coco-caption  CIDEr   -484.4 … -373.5" in lines
    assert sum(line.startswith("mini-coco-caption  BLEU-4") for line in lines) == 2


def test_a_table_without_headings_has_no_line_for_them() -> None:
    table = Grid("", "")
    table.add_row("layout", "upstream")
    assert [line.rstrip() for line in _printed(table, 80)] == ["layout  upstream"]
