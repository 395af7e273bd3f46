"""Notebooks of the documentation: executed here, committed with their outputs, shown as pages of the site.

`python docs/_site/notebooks.py` executes all notebooks again and writes them back (nbclient and ipykernel
are in the extra `test`); `tests/docs/test_notebooks.py` does the same without writing.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def names() -> list[str]:
    """The notebooks, in the order of their file names."""
    return sorted(path.name for path in FOLDER.glob("*.ipynb"))


def read(name: str) -> dict[str, Any]:
    """A notebook as JSON."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def executed(name: str, folder: Path, *, seconds: int = 600) -> dict[str, Any]:
    """A notebook executed from top to bottom in `folder`; CellExecutionError where a cell fails.

    What depends on the machine and the moment is taken out, so that the same code gives the same file.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(json.dumps(read(name)), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook, timeout=seconds, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            # Warnings and progress of this machine are no part of the page.
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            for output in cell.outputs:
                output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    found: dict[str, Any] = json.loads(nbformat.writes(notebook))
    return found


def markdown(name: str) -> str:
    """A notebook as a page: text, code, and what came out of it; images are data URIs."""
    lines: list[str] = []
    for cell in read(name)["cells"]:
        source = _joined(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            lines += [_output(output), ""]
    link = f"[Download this notebook]({name})"
    return "\n".join([*lines, link, ""])


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return f"```text\n{_joined(output['text']).rstrip()}\n```"
    data = output.get("data", {})
    if "text/html" in data:
        # One line, so that nothing in it is read as Markdown.
        shown = re.sub(r"\s*\n\s*", " ", _pre_kept(_joined(data["text/html"])))
        return f'<div class="notebook-output">{shown}</div>'
    if "image/png" in data:
        return f'<img alt="plot" src="data:image/png;base64,{_joined(data["image/png"]).strip()}">'
    return f"```text\n{_joined(data.get('text/plain', '')).rstrip()}\n```"


def _pre_kept(html: str) -> str:
    """Line ends within `pre` as entities, which survive on one line."""
    return re.sub(r"<pre>.*?</pre>", lambda match: match[0].replace("\n", "&#10;"), html, flags=re.S)


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def main() -> None:
    for name in names():
        with tempfile.TemporaryDirectory() as folder:
            found = executed(name, Path(folder))
        text = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
