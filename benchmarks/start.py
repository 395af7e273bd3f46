"""How long a user waits for help: CPU seconds of `evalsuite --help` beside a bare Typer app's.

Both in fresh processes, turn and turn about; the least of each counts.

    python benchmarks/start.py [--times 10]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

COMMANDS = {
    "evalsuite --help": ["-m", "evalsuite", "--help"],
    "evalsuite run --help": ["-m", "evalsuite", "run", "--help"],
    "a Typer app of one command": [
        "-c",
        "import typer\napp = typer.Typer()\n@app.command()\ndef hello(name: str = 'you'):\n    'Greets.'\n"
        "app(['--help'])",
    ],
}


def seconds(command: list[str]) -> float:
    """CPU seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    found: dict[str, float] = {}
    for _ in range(times):
        for name, command in COMMANDS.items():
            found[name] = min(found.get(name, float("inf")), seconds(command))
    *_, floor = found.values()
    for name, value in found.items():
        print(f"{name:30} {value:.2f} s  {value / floor:.1f}")


if __name__ == "__main__":
    main()
