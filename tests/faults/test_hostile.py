"""What models write and what things are called never acts: in terminals, tables, typesetters and browsers."""

from __future__ import annotations

import csv
import io
import json
import logging
import subprocess
from pathlib import Path

import pytest

from evalsuite.cli.common import PlainFormatter
from evalsuite.leaderboards import load, render, table
from evalsuite.plain import cell, plain
from evalsuite.store import RunReader
from tests.cli.program import here
from tests.data.image_files import encoded
from tests.faults.conftest import Tally
from tests.faults.looking_plugin import HOSTILE
from tests.faults.support import command, environment, failures, pope, program, run_looker

_ACTIVE = [
    *map(chr, range(0x09)),
    "\x0b",
    "\x0c",
    *map(chr, range(0x0E, 0x20)),
    "\x7f",
    *map(chr, range(0x80, 0xA0)),
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
]
NAME = "=1+1:m:[red]\x1b[2J\u202eevil\u0007<script>window.executed=1</script>_&%$#{}~^\\input{/etc/passwd}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model's name, answers and failures are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    images = {f"{i}.png": encoded(seed=i) for i in range(3)} | {"\u202e:m:[b].png": b"no image"}
    data = pope(folder / "pope", images)
    end = program(
        *run_looker(
            data,
            folder / "run",
            "--option",
            "trouble=hostile",
            "--option",
            f"name={NAME}",
            "--max-failures",
            1,
        ),
        cache=folder / "cache",
    )
    assert end.returncode in (0, 1), end.stderr
    return folder / "run"


def _active(text: str) -> list[str]:
    return [sign for sign in _ACTIVE if sign in text]


_COMMANDS = {
    "runs show": ("runs", "show", "{run}"),
    "runs show --all": ("runs", "show", "{run}", "--all"),
    "runs list": ("runs", "list", "{run}"),
    "runs verify": ("runs", "verify", "{run}"),
    "leaderboard": ("leaderboard", "{run}"),
    "leaderboard md": ("leaderboard", "{run}", "--format", "md"),
    "leaderboard latex": ("leaderboard", "{run}", "--format", "latex"),
    "leaderboard csv": ("leaderboard", "{run}", "--format", "csv"),
    "compare": ("compare", "{run}", "{run}", "--flips", "3"),
    "score": ("score", "{run}"),
    "explain": ("explain", "{run}", "--task", "pope-popular"),
    "a task that is not there": ("run", "--model", "x\x1b[2J", "--task", "\u202ey:m:"),
    "a run that is not there": ("runs", "show", "x\x1b[2J\u202e"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", _COMMANDS)
def test_nothing_that_a_terminal_obeys_is_printed(
    what: str, hostile: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    end = here(capsys, *(part.format(run=hostile) for part in _COMMANDS[what]))
    said = end.stdout + end.stderr
    assert said
    if "that is not there" in what and "Usage" in said:
        said = said.split("Usage")[0]
    assert not _active(said.replace("\r", "")), repr(_active(said))
    assert "Ⓜ" not in said, "an emoji code was obeyed"
    if what in ("runs show", "runs list", "leaderboard"):
        assert ":m:" in said
        assert "[red]" in said
    tally("hostile names and answers in terminals", "shown, not obeyed")


@pytest.mark.slow
def test_a_terminal_of_its_own_gets_no_escapes_but_richs(hostile: Path, tmp_path: Path, tally: Tally) -> None:
    """On a pseudo-terminal, where colours are on."""
    import os
    import pty
    import re

    master, slave = pty.openpty()
    env = environment(tmp_path, TERM="xterm-256color")
    env.pop("NO_COLOR")
    process = subprocess.Popen(command("runs", "show", hostile), stdout=slave, stderr=slave, env=env)
    os.close(slave)
    said = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    process.wait()
    os.close(master)
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).replace("\r", "")
    assert "evil" in text
    assert not _active(text)
    tally("hostile names and answers in terminals", "shown, not obeyed")


def test_what_a_spreadsheet_takes_for_a_formula_is_text(hostile: Path, tally: Tally) -> None:
    frame = load([hostile])
    rows = list(csv.reader(io.StringIO(render(frame, table(frame), "csv").decode())))
    cells = [one for row in rows for one in row]
    assert any(one.startswith("'=1+1") for one in cells)
    assert not any(one.lstrip()[:1] in ("=", "@", "\t") for one in cells if one)
    assert not any(one.startswith(("+", "-")) and not one[1:].replace(".", "").isdigit() for one in cells)
    for text in ("=1", "+1", "-1", "@a", " =1", "\t=1", "＝1", "\r=1"):
        assert cell(text).startswith("'")
        tally("formulas in CSV", "made text")


def test_tex_and_markdown_hold_no_commands_of_others(hostile: Path, tally: Tally) -> None:
    frame = load([hostile])
    tex = render(frame, table(frame), "latex").decode()
    code = "\n".join(line for line in tex.splitlines() if not line.startswith("%"))
    assert "\\input{" not in code
    assert not _active(tex)
    assert "\\textbackslash{}input" in tex
    page = render(frame, table(frame), "md").decode()
    assert "<script" not in page
    assert not _active(page)
    tally("hostile names in LaTeX and Markdown", "escaped", 2)


def test_logs_and_errors_hold_no_escapes(tally: Tally) -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "image %s", ("\x1b[2J\u202e",), None)
    assert not _active(PlainFormatter("%(message)s").format(record))
    assert plain("naïve 日本語 👩‍👩‍👧 e\u0301\n\tx") == "naïve 日本語 👩‍👩‍👧 e\u0301\n\tx", "real text stays"
    assert not _active(plain("".join(_ACTIVE)))
    tally("hostile names and answers in terminals", "shown, not obeyed")


def test_the_answers_are_stored_as_they_were(hostile: Path) -> None:
    with RunReader(hostile) as run:
        texts = {record.response.text for record in run.records("pope-popular") if record.response}  # type: ignore[union-attr]
    assert texts == {HOSTILE}
    assert list(failures(hostile)) == ["4"]


@pytest.fixture(scope="module")
def pages(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from tests.engine.support import run_sums, sums_spec

    folder = tmp_path_factory.mktemp("pages")
    assert program("report", hostile, "--out", folder / "site", cache=folder).returncode == 0
    assert program("leaderboard", hostile, "-o", folder / "table.html", cache=folder).returncode == 0
    run_sums(sums_spec("sum-images", count=3), folder / "run")
    made = program(
        "study", "make", folder / "run", "--out", folder / "study", "-n", 3, "--question", NAME, cache=folder
    )
    assert made.returncode == 0, made.stderr
    found = {
        "leaderboard": folder / "table.html",
        "report": folder / "site/index.html",
        "study": folder / "study/page/index.html",
    }
    found |= {
        f"report {path.stem}": path
        for path in sorted((folder / "site").rglob("*.html"))
        if path.stem != "index"
    }
    return found


@pytest.fixture
def browser_at(tmp_path: Path) -> object:
    from tests.study.browser import PROGRAM, browser

    if not PROGRAM:
        pytest.skip("needs Chromium")
    return lambda uri: browser(tmp_path, uri)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["leaderboard", "report", "study"])
def test_pages_run_nothing_of_others(
    name: str, pages: dict[str, Path], browser_at: object, tally: Tally
) -> None:
    for title, path in pages.items():
        if title.split()[0] != name:
            continue
        with browser_at(path.as_uri()) as page:  # type: ignore[operator]
            assert page.evaluate("window.executed === undefined")
            assert (
                "evil" in json.dumps(page.evaluate("document.documentElement.innerText")) or name == "report"
            )
            assert page.evaluate(
                "[...document.scripts].every(s => !s.textContent.includes('window.executed'))"
            )
        tally("hostile outputs in a browser", "nothing ran")


@pytest.mark.long
@pytest.mark.parametrize("adapter", ["transformers", "unified"])
def test_code_beside_weights_is_not_run_unasked(adapter: str, tmp_path: Path, tally: Tally) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    code = f"open({str(tmp_path / 'owned')!r}, 'w').write('x')\n"
    (folder / "modeling_evil.py").write_text(code)
    (folder / "configuration_evil.py").write_text(code)
    (folder / "tokenization_evil.py").write_text(code)
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "evil",
                "architectures": ["Evil"],
                "auto_map": {
                    "AutoConfig": "configuration_evil.Evil",
                    "AutoModelForCausalLM": "modeling_evil.Evil",
                    "AutoModelForImageTextToText": "modeling_evil.Evil",
                },
            }
        )
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["tokenization_evil.Evil", None]}})
    )
    data = pope(tmp_path / "pope", {"0.png": encoded()})
    end = program(
        "run",
        "--model",
        f"{adapter}:{folder}",
        "--task",
        "pope-popular",
        "--data",
        data,
        "--out",
        tmp_path / "run",
        cache=tmp_path,
    )
    assert end.returncode == 2, end.stderr
    assert str(folder) in end.stderr, end.stderr
    assert not (tmp_path / "owned").exists()
    assert "Traceback" not in end.stderr
    tally("code beside weights", "not run, exit 2")
