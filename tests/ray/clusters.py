"""A Ray cluster of several nodes on this machine, as `python -m tests.ray.clusters NODES`: prints its
address, and ends with its standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(nodes: int = 2, **environment: str) -> Iterator[str]:
    """Its address, HOST:PORT."""
    command = [sys.executable, "-m", "tests.ray.clusters", str(nodes)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command,
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout is not None
        try:
            line = ""
            while not line.startswith("address "):
                line = process.stdout.readline()
                assert line, "the cluster did not start"
            yield line.split()[1]
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


def main() -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        connect=False,
        head_node_args={"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False},
    )
    for _ in range(int(sys.argv[1]) - 1):
        cluster.add_node(num_cpus=1, num_gpus=2, object_store_memory=80 * 2**20)
    print(f"address {cluster.address}", flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
