"""Names that have moved: old ones work for one version, with a warning that names the new one."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

import evalsuite
import evalsuite.engine
import evalsuite.task
from evalsuite import deprecation


@pytest.mark.parametrize("old", sorted(deprecation.MODULES))
def test_a_module_is_found_by_its_old_name_with_a_warning(old: str) -> None:
    new = deprecation.MODULES[old].new
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=rf"{old} is now {new}"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(new)
    assert module.__spec__ is not None
    assert module.__spec__.name == new


def test_a_module_inside_a_package_that_moved_is_found_too_and_hides_no_function() -> None:
    import evalsuite.leaderboards

    for name in [name for name in sys.modules if name.startswith("evalsuite.leaderboard.")]:
        del sys.modules[name]
    sys.modules.pop("evalsuite.leaderboard", None)
    with pytest.warns(DeprecationWarning, match=r"evalsuite\.leaderboards"):
        found = importlib.import_module("evalsuite.leaderboard.table")
    assert found is sys.modules["evalsuite.leaderboards.table"]
    assert callable(evalsuite.leaderboards.table)


def test_importing_the_old_module_hides_no_function() -> None:
    sys.modules.pop("evalsuite.leaderboard", None)
    with pytest.warns(DeprecationWarning, match="leaderboards"):
        importlib.import_module("evalsuite.leaderboard")
    assert not isinstance(evalsuite.leaderboard, ModuleType)


@pytest.mark.parametrize("old", sorted(deprecation.NAMES))
def test_a_renamed_name_is_the_new_one_with_a_warning(old: str) -> None:
    module, _, name = old.rpartition(".")
    with pytest.warns(DeprecationWarning, match=deprecation.NAMES[old].new):
        found = getattr(importlib.import_module(module), name)
    home, _, attribute = deprecation.NAMES[old].new.rpartition(".")
    assert found is getattr(importlib.import_module(home), attribute)


def test_nothing_deprecated_is_overdue() -> None:
    """Fails in the version that promised to remove a name: remove it from `MODULES` or `renamed`."""
    assert deprecation.overdue(evalsuite.__version__) == []


def test_what_is_overdue_is_listed() -> None:
    assert set(deprecation.overdue("99.0")) == {*deprecation.MODULES, *deprecation.NAMES}


def test_an_unknown_name_is_still_an_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        getattr(evalsuite.task, "nothing")  # noqa: B009
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("evalsuite.nothing")
