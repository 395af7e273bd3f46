"""`evalsuite doctor --ray-address`: what differs between this machine and those of a cluster, before a run
finds out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.doctor import Finding
from evalsuite.errors import SpecError
from evalsuite.ray.cluster import connect, require_ray
from evalsuite.ray.nodes import Folder, NodeReport, describe_node

_CLOCK = 5.0
"""Seconds between two clocks above which times in a run's record mislead."""
_LEAST_SHM = 2 * 2**30
_LEAST_SHM_SHARE = 0.3
"""Of a machine's memory: what Ray gives to its objects, which go to disk beyond that."""


_PATIENCE = 120.0
"""Seconds in which a node must answer: starting a process there takes some."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node of the cluster said.

    Args:
        node: its id in the cluster.
        gpus: as Ray was told.
        here: it is this machine.
        report: None where it could not be made.
        problem: why not.
        sent, received: Unix time of this machine when it was asked, and when it had answered.
    """

    node: str
    host: str
    address: str
    gpus: int
    here: bool
    report: NodeReport | None
    problem: str
    sent: float
    received: float


def ask_nodes(
    nodes: Iterable[Mapping[str, Any]], plugins: list[Path], data: Path | None, weights: str
) -> Iterator[Answer]:
    """Asks one node after the other, by a task that is bound to it and takes none of its cores."""
    ray = require_ray()
    mine = ray.util.get_node_ip_address()
    for node in nodes:
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        look = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=strategy)(describe_node)
        report, problem = None, ""
        try:
            ray.get(look.remote(), timeout=_PATIENCE)  # its process is there now: what follows is the clock's
            sent = time.time()
            report = ray.get(look.remote(plugins, data, weights), timeout=_PATIENCE)
        except Exception as error:  # Ray's own, and whatever the import there raises
            sent = time.time()
            problem = last_line(error)
        yield Answer(
            node=str(node["NodeID"]),
            host=report.host if report is not None else str(node.get("NodeManagerHostname", "?")),
            address=str(node["NodeManagerAddress"]),
            gpus=int(node["Resources"].get("GPU", 0)),
            here=node["NodeManagerAddress"] == mine,
            report=report,
            problem=problem,
            sent=sent,
            received=time.time(),
        )


def last_line(error: BaseException) -> str:
    """What went wrong on a node: the last line of Ray's traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


def examine_cluster(
    address: str, plugins: Iterable[Path] = (), *, data: Path | None = None, model: str = ""
) -> Iterator[Finding]:
    """Findings, node by node.

    Args:
        address: `auto` or HOST:PORT.
        plugins: plugin files that a run would load.
        data: folder with benchmarks that every node should see.
        model: as `evalsuite run --model` takes it; its weights should lie on every node.

    Raises:
        UnavailableError: nothing answers there, its Ray is of another version, or it wants a token.
        SpecError: the model names no weights.
    """
    weights = _weights_of(model)
    plugins = [path.absolute() for path in plugins]
    data = None if data is None else data.absolute()
    kind = connect(address, workers=None, cpus_per_worker=1.0)
    here = describe_node(plugins, data, weights)
    nodes = [node for node in require_ray().nodes() if node["Alive"]]
    gpus = sum(int(node["Resources"].get("GPU", 0)) for node in nodes)
    yield Finding("cluster", "ray", "ok", kind)
    yield Finding("cluster", "nodes", "ok", f"{len(nodes)}, with {gpus} GPUs in all")
    kinds: dict[str, list[str]] = {}
    for answer in ask_nodes(nodes, plugins, data, weights):
        yield from _of_node(answer, here, data, weights)
        if answer.report is not None:
            for name in answer.report.gpus:
                kinds.setdefault(name.partition(",")[0], []).append(answer.report.host)
    if len(kinds) > 1:
        told = ", ".join(f"{name} x {len(hosts)}" for name, hosts in sorted(kinds.items()))
        yield Finding(
            "cluster", "kinds of GPU", "missing", f"{told}: answers may differ in the last bits",
            "`evalsuite run --same-gpus` refuses workers of another kind than the first.",
        )  # fmt: skip


def _weights_of(model: str) -> str:
    if not model:
        return ""
    name, colon, argument = model.partition(":")
    if not colon or not argument:
        raise SpecError(
            f"--model {name} names no weights to look for.", "Write it as for a run: dreamllm:FOLDER."
        )
    return argument


def _of_node(answer: Answer, here: NodeReport, data: Path | None, weights: str) -> Iterator[Finding]:
    area = f"node {answer.node[:8]}: {answer.host}, {answer.address}{', this machine' if answer.here else ''}"
    report = answer.report
    if report is None:
        yield Finding(
            area, "evalsuite", "broken", answer.problem,
            "Install the driver's version in the environment of `ray start` there.",
        )  # fmt: skip
        return
    yield from _versions(area, here.versions, report.versions)
    for name, digest in here.plugins.items():
        yield _plugin(area, name, digest, report.plugins.get(name, ""))
    cards = ", ".join(name.partition(",")[0] for name in report.gpus)
    if answer.gpus > len(report.gpus) and report.gpus:
        yield Finding(
            area, "GPUs", "broken", f"Ray was told of {answer.gpus}, the driver shows {len(report.gpus)}",
            "Start Ray there without --num-gpus, or with the true number.",
        )  # fmt: skip
    elif answer.gpus:
        yield Finding(area, "GPUs", "ok", f"{answer.gpus}{f': {cards}' if cards else ''}")
    else:
        yield Finding(
            area, "GPUs", "missing", f"Ray has none{f' of: {cards}' if cards else ''}; workers use the CPU",
            "Start Ray there with --num-gpus." if cards else "",
        )  # fmt: skip
    yield Finding(area, "memory", "ok", f"{report.memory / 2**30:.0f} GiB, {report.cpus} cores")
    yield _clock(area, answer)
    yield _shm(area, report)
    if data is not None:
        yield _folder(area, "data", str(data), here.data, report.data)
    if weights:
        yield _folder(area, "weights", weights, here.weights, report.weights)


def _versions(area: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Finding]:
    for name in ("python", "evalsuite", "torch", "transformers", "diffusers"):
        mine, other = ours.get(name, "none"), theirs.get(name, "none")
        if mine == other:
            yield Finding(area, name, "ok", mine)
        else:
            must = name in ("evalsuite", "python")
            yield Finding(
                area, name, "broken" if must else "missing", f"{other}, here {mine}",
                "Install the same version on all machines." if must
                else "Answers may differ in the last bits; install the same version on all machines.",
            )  # fmt: skip
    mine, other = ours.get("commit", "")[:12], theirs.get("commit", "")[:12]
    if other and mine != other:
        yield Finding(
            area, "commit", "broken", f"{other}, here {mine or 'none'}",
            "Check out the same commit on all machines.",
        )  # fmt: skip


def _plugin(area: str, name: str, mine: str, other: str) -> Finding:
    if not other:
        return Finding(area, f"plugin {name}", "broken", "is not there", "Copy the driver's there.")
    if mine != other:
        return Finding(area, f"plugin {name}", "broken", "differs from here", "Copy the driver's there.")
    return Finding(area, f"plugin {name}", "ok", mine[:12])


def _clock(area: str, answer: Answer) -> Finding:
    assert answer.report is not None
    offset = answer.report.clock - (answer.sent + answer.received) / 2
    unsure = (answer.received - answer.sent) / 2
    if abs(offset) - unsure > _CLOCK:
        return Finding(area, "clock", "missing", f"{offset:+.1f} s from here", "Let NTP set the clocks.")
    return Finding(area, "clock", "ok", f"within {abs(offset) + unsure:.1f} s of here")


def _shm(area: str, report: NodeReport) -> Finding:
    if report.shm is None:
        return Finding(
            area, "/dev/shm", "missing", "there is none: Ray keeps objects on disk", "Mount a tmpfs there."
        )
    free, total = report.shm
    told = f"{free / 2**30:.1f} GiB free of {total / 2**30:.1f}"
    if total < min(_LEAST_SHM, _LEAST_SHM_SHARE * report.memory):
        return Finding(
            area, "/dev/shm", "missing", f"{told}: Ray falls back to disk, which is slower",
            "In a container: --shm-size, or a memory volume at /dev/shm.",
        )  # fmt: skip
    return Finding(area, "/dev/shm", "ok", told)


def _folder(area: str, name: str, path: str, mine: Folder | None, other: Folder | None) -> Finding:
    if other is None:
        remedy = (
            "Copy or mount them there: each worker loads them."
            if name == "weights"
            else "Mount it at the same path; without it the driver sends bytes of images, which is slower."
        )
        state: Any = "broken" if name == "weights" else "missing"
        return Finding(area, name, state, f"{path} is not there", remedy)
    told = f"{path}: {other.files:,} files, {other.nbytes / 2**30:.2f} GiB"
    if mine is not None and mine.digest != other.digest:
        return Finding(
            area, name, "broken", f"{told}; here {mine.files:,} files, {mine.nbytes / 2**30:.2f} GiB",
            "Give all machines the same files.",
        )  # fmt: skip
    return Finding(area, name, "ok", told)
