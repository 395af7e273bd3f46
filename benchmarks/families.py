"""Which types of transformers and pipelines of diffusers work through the generic adapters: the tables of
docs/families.md, measured with tiny random models.

    OMP_NUM_THREADS=1 python benchmarks/families.py results.jsonl           # measures what is missing
    OMP_NUM_THREADS=1 python benchmarks/families.py results.jsonl --write   # and writes docs/families.md
    python benchmarks/families.py results.jsonl --only qwen2_vl,glm4v       # some

Each is measured in a process of its own, which has 120 seconds (`--seconds`). A line per family is appended
to the file, so that a run that was killed resumes where it stopped.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the tests' builders
DOCUMENT = ROOT / "docs" / "families.md"
SECONDS = 120
KINDS = {"transformers": "tests.baselines.measure_types", "diffusers": "tests.baselines.measure_pipelines"}


def measured(kind: str, name: str, seconds: float) -> dict[str, Any]:
    """One family, in a child that is forked from this process, which has the libraries loaded."""
    row: dict[str, Any] = {"kind": kind, "name": name}
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_send, args=(kind, name, theirs))
    child.start()
    theirs.close()
    try:
        found = ours.recv() if ours.poll(seconds) else {"why": f"not measured: more than {seconds:.0f} s"}
    except EOFError:
        child.join()
        found = {"why": f"the process ended with {child.exitcode}"}
    if child.is_alive():
        child.join(5)
        child.kill()
    child.join()
    return {**row, **found}


def _send(kind: str, name: str, pipe: Any) -> None:
    pipe.send(import_module(KINDS[kind]).measure(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--kind", choices=tuple(KINDS))
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    lines = chosen.file.read_text(encoding="utf-8").splitlines() if chosen.file.is_file() else []
    rows = {(row["kind"], row["name"]): row for row in map(json.loads, lines)}
    only = [name for name in chosen.only.split(",") if name]
    for kind in [chosen.kind] if chosen.kind else KINDS:
        for name in import_module(KINDS[kind]).names():
            if (kind, name) in rows or (only and name not in only):
                continue
            rows[kind, name] = row = measured(kind, name, chosen.seconds)
            with chosen.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(f"{name}: {row.get('why') or 'works'}", flush=True)
    if chosen.write:
        write(list(rows.values()), [chosen.kind] if chosen.kind else list(KINDS))


def write(rows: list[dict[str, Any]], kinds: list[str]) -> None:
    """Puts the tables of these kinds between their marks in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for kind in kinds:
        own = sorted((row for row in rows if row["kind"] == kind), key=lambda row: str(row["name"]).lower())
        begin, end = f"<!-- {kind} -->", f"<!-- end of {kind} -->"
        head, rest = text.split(begin)
        _, tail = rest.split(end)
        text = f"{head}{begin}\n{table(own)}\n{end}{tail}"
    DOCUMENT.write_text(text, encoding="utf-8")


def table(rows: list[dict[str, Any]]) -> str:
    """Families that work with what was found, then those that do not, with why."""
    works = [row for row in rows if not row.get("why")]
    columns = list(dict.fromkeys(name for row in works for name in row if name not in ("kind", "name")))
    lines = [f"{len(works)} of {len(rows)} work.", ""]
    if works:
        lines += ["| name | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for row in works:
        cells = [f"`{row['name']}`", *(str(row.get(name, "–")) for name in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| name | why not |", "| --- | --- |"]
    for row in rows:
        if row.get("why"):
            lines.append(f"| `{row['name']}` | {_cell(row['why'])} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
