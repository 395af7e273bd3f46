"""What the documents show: commands that exist with the options they are given, code that compiles, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from evalsuite.cli.app import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "results/README.md",
        ROOT / "baselines/mini/checkpoints/README.md",
    ]
)
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _commands(text: str) -> Iterator[str]:
    """Lines that begin with `evalsuite`: in console blocks, in indented blocks, and between backticks."""
    blocks = [body for kind, body in _FENCE.findall(text) if kind in ("console", "sh", "bash", "shell", "")]
    joined = "\n".join(blocks).replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
    indented = _FENCE.sub("", text).replace("\\\n", " ")
    lines += [line.strip() for line in indented.splitlines() if line.startswith("    evalsuite ")]
    lines += re.findall(r"`(evalsuite [^`\n]+)`", _FENCE.sub("", text))
    for line in lines:
        found = re.match(
            r"(?:\.venv/bin/|python -m )?(evalsuite(?: .*)?)$", line.split(" && ")[-1].split("   #")[0]
        )
        if found:
            yield found.group(1).strip()


def _problem(line: str) -> str:
    """What is wrong with a command line; empty when its command and options exist."""
    try:
        words = shlex.split(line.split(" | ")[0].split(" > ")[0], comments=True)[1:]
    except ValueError as error:
        return str(error)
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    alternatives = {"", "…", "..."}
    while hasattr(command, "get_command") and words:
        if words[0].startswith("-"):
            break
        names = [name for name in words.pop(0).split("|") if name not in alternatives]
        if any(name.isupper() for name in names) or not names:
            return ""
        found = [command.get_command(context, name) for name in names]
        if None in found:
            return f"no command {names}"
        command = found[-1]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "-h"}
    given = [word.split("=")[0].strip("[]") for word in words if re.match(r"\[?--?[a-zA-Z]", word)]
    missing = [word for word in given if word not in known]
    return f"{command.name} has no {', '.join(missing)}" if missing else ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_shows_exists_with_its_options(path: Path) -> None:
    found = {line: _problem(line) for line in _commands(path.read_text(encoding="utf-8"))}
    assert {line: problem for line, problem in found.items() if problem} == {}


def test_the_documents_show_commands() -> None:
    counts = {
        path.relative_to(ROOT).as_posix(): len(list(_commands(path.read_text(encoding="utf-8"))))
        for path in DOCUMENTS
    }
    assert counts["README.md"] >= 20
    assert sum(counts.values()) >= 80


@pytest.mark.parametrize(
    "line", ["evalsuite rnu --model x", "evalsuite run --modle x", "evalsuite runs shwo"]
)
def test_a_mistyped_command_is_found(line: str) -> None:
    assert _problem(line)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_python_block_compiles(path: Path) -> None:
    for kind, body in _FENCE.findall(path.read_text(encoding="utf-8")):
        if kind == "python":
            compile(body, str(path), "exec")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    broken = [
        target
        for target in targets
        if not target.startswith(("http://", "https://", "#", "mailto:", "example-report"))
        and not (path.parent / target.split("#")[0]).exists()
        # The site makes a page of each notebook.
        and not (path.parent / target.split("#")[0]).with_suffix(".ipynb").exists()
    ]
    assert path.parent.name == "_site" or broken == []
