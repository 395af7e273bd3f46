"""Maps `tasks/`, `baselines/` and `results/` onto import names that may be installed (see pyproject.toml)."""

from setuptools import find_packages, setup

ROOMS = {
    "evalsuite": "evalsuite",
    "evalsuite_tasks": "tasks",
    "evalsuite_baselines": "baselines",
    "evalsuite_results": "results",
}

setup(
    package_dir=ROOMS,
    packages=[
        name
        for package, folder in ROOMS.items()
        for name in [package, *(f"{package}.{found}" for found in find_packages(folder))]
    ],
)
