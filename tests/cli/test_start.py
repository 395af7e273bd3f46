"""Help comes at once: nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evalsuite.cli.environment import threads

# Not pydantic: recent versions of typer read their own options with it.
HEAVY = (
    "torch",
    "transformers",
    "diffusers",
    "pandas",
    "scipy",
    "numpy",
    "datasets",
    "pyarrow",
    "PIL",
)


def _python(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**clean, **environment}
    )
    return done.stdout.strip()


def test_help_imports_nothing_heavy() -> None:
    found = _python(
        "import sys\n"
        "from evalsuite.cli import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert "--max-failures" in found
    assert found.splitlines()[-1] == "[]"


def test_thread_settings_are_made_before_torch_and_the_users_own_stay() -> None:
    code = (
        "import os\nfrom evalsuite.cli.environment import settle\nsettle()\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['OMP_WAIT_POLICY'])"
    )
    own = _python(code, OMP_NUM_THREADS="7", OMP_WAIT_POLICY="ACTIVE")
    assert own == "7 ACTIVE"
    count, policy = _python(code).split()
    assert int(count) >= 1
    assert policy == "PASSIVE"


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 1), (8, 4), (128, 16)])
def test_half_the_cores_compute_and_never_none(cores: int, expected: int) -> None:
    assert threads(cores) == expected
