"""A report of many samples: CPU seconds and memory of writing it, milliseconds in the browser, against sizes.

Two models answered COUNT questions about 97 photographs (VQA's form: prompt with image, ten answers, three
labels). Writing is compared with reading the same records from the runs once and dumping them as JSON, the
floor; memory with that of a tenth of the samples; the browser's times with those of a hundredth. Chromium and
selenium are needed for the browser's part, which is left out without them.

    python benchmarks/report.py [--count 200000] [--folder FOLDER] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evalsuite.content import Image, user
from evalsuite.model import ModelInfo
from evalsuite.request import GenerateText, Request, Response, TextResponse
from evalsuite.spec import ExecutionOptions, ModelSpec, RunSpec, TaskSpec
from evalsuite.store import Record, RunReader, RunWriter, TaskRecord
from evalsuite.task import Answered, Metric, Sample, SampleScore, Scores, TaskInfo
from evalsuite.task.entry import TaskEntry, TaskOptions

HERE = Path(__file__).resolve()
PICTURES = 97
KINDS = ("yes/no", "number", "other")
WORDS = ("yes", "no", "2", "1", "white", "blue", "red", "left", "right", "man", "dog", "cat", "tennis")
INFO = TaskInfo(
    "many", "1", "text", "val", "plain", "official", (Metric("accuracy", scale=100.0, headline=True),)
)


class Many:
    """So many questions; nothing of them is kept in memory but the photographs."""

    info = INFO

    def __init__(self, options: TaskOptions) -> None:
        self._count = int(options.options["count"])
        self._pictures = [photograph(i) for i in range(PICTURES)]

    def fingerprint(self) -> str:
        return "many"

    def samples(self) -> Iterator[Sample]:
        for i in range(self._count):
            labels = {"answer_type": KINDS[i % 3], "question_type": f"type {i % 65}", "fold": str(i % 5)}
            yield Sample(str(100_000 + i), i, cluster=str(i // 3), labels=labels)

    def request(self, sample: Sample, earlier: Sequence[Response] = ()) -> Request | None:
        question = f"What is the answer to question {sample.record}, which is about this photograph?\n"
        asked = user(self._pictures[sample.record % PICTURES], question, "Answer with a single word.")
        return None if earlier else Request((asked,), GenerateText())

    def target(self, sample: Sample) -> Any:
        return [WORDS[(sample.record + j // 7) % len(WORDS)] for j in range(10)]

    def score(self, answered: Sequence[Answered]) -> Scores:
        raise NotImplementedError("the runs are written with their scores")


def tasks() -> list[TaskEntry]:
    return [TaskEntry("many", "many", "text", INFO.metrics, ("plain",), ("official",), Many)]


def photograph(seed: int) -> Image:
    import numpy as np
    from PIL import Image as pil

    rng = np.random.default_rng(seed)
    picture = pil.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((640, 480), 3)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return Image(stream.getvalue(), name=f"COCO_val2014_{seed:012d}.jpg")


def write_run(folder: Path, name: str, count: int) -> None:
    """A finished run, as the engine would leave it."""
    if folder.exists():
        return
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    spec = RunSpec(
        model=ModelSpec(name=name),
        tasks=(TaskSpec(name="many", protocol="plain", rules="official", options={"count": str(count)}),),
        plugins=(HERE,),
    )
    record = TaskRecord(key="many", info=INFO, data_fingerprint="many", total=count, available=count)
    dice = random.Random(name)
    rows = []
    with RunWriter.open(partial, spec, [record], ExecutionOptions()) as writer:
        writer.set_model(ModelInfo(name, name))
        for start in range(0, count, 5_000):
            records = []
            for i in range(start, min(start + 5_000, count)):
                said = dice.choice(WORDS)
                identity = str(100_000 + i)
                records.append(Record("many", identity, 0, TextResponse(said, tokens=1)))
                value = dice.choice((0.0, 0.0, 1 / 3, 2 / 3, 1.0, 1.0))
                labels = {"answer_type": KINDS[i % 3]}
                rows.append(SampleScore(identity, {"accuracy": value}, str(i // 3), labels, said))
            writer.save(records)
        writer.save_scores("many", "official", rows)
        writer.end_session("finished")
    partial.rename(folder)


def floor(folder: Path) -> float:
    """CPU seconds of reading all records once and dumping them."""
    start = time.process_time()
    for name in ("one", "other"):
        with RunReader(folder / name) as reader:
            for record in reader.records("many"):
                assert isinstance(record.response, TextResponse)
                json.dumps(
                    {"id": record.sample, "text": record.response.text, "tokens": record.response.tokens}
                )
    return time.process_time() - start


def write_site(folder: Path) -> None:
    """In a process of its own: writes the site and prints CPU seconds and peak memory."""
    from evalsuite.report import write_report

    start = time.process_time()
    written = write_report([folder / "one", folder / "other"], folder / "site")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": time.process_time() - start, "peak": peak, "bytes": written.bytes}))


def measure_writing(folder: Path, count: int) -> dict[str, float]:
    for name in ("one", "other"):
        write_run(folder / name, name, count)
    shutil.rmtree(folder / "site", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, str(HERE), "--write-site", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return {**json.loads(done.stdout), "floor": floor(folder)}


WAIT = "return document.querySelector('#browser[data-ready] .answer') !== null"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-sync", "--window-size=1300,900")
FILTER = """
const control = document.querySelector("[name='outcome']"), times = [];
for (const value of ["zero", "full", "part", "failed", ""]) {
  control.value = value;
  const start = performance.now();
  control.dispatchEvent(new Event("change", {bubbles: true}));
  times.push(performance.now() - start);
}
return times.sort((a, b) => a - b)[2];
"""
SEARCH = """
const field = document.querySelector("[name='q']");
field.value = arguments[0];
window.began = performance.now();
new MutationObserver(() => {
  if (document.getElementById("found").textContent.startsWith("1 of")) window.ended ??= performance.now();
}).observe(document.getElementById("found"), {childList: true});
field.dispatchEvent(new Event("input", {bubbles: true}));
"""


def measure_browser(site: Path, count: int) -> dict[str, float] | None:
    """Milliseconds to open, to filter (median of five), to find one text among all; elements in the list."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    try:
        from selenium import webdriver
    except ImportError:
        return None
    if program is None or driver is None:
        return None
    options = webdriver.ChromeOptions()
    options.binary_location = program
    with tempfile.TemporaryDirectory() as profile:
        for option in (*OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(option)
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            address = site.resolve().as_uri() + "/samples/many.html"
            browser.get(address)  # the first page of a browser pays for its start
            start = time.perf_counter()
            browser.get("about:blank")
            browser.get(address)
            while not browser.execute_script(WAIT):
                time.sleep(0.005)
            opened = 1000 * (time.perf_counter() - start)
            filtered = float(browser.execute_script(FILTER))
            items = int(browser.execute_script("return document.querySelectorAll('.item').length"))
            browser.execute_script(SEARCH, f"question {count - 1},")
            while browser.execute_script("return window.ended") is None:
                time.sleep(0.02)
            searched = float(browser.execute_script("return window.ended - window.began"))
        finally:
            browser.quit()
    return {"open": opened, "filter": filtered, "search": searched, "items": items}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="keeps the runs and sites")
    parser.add_argument("--json", type=Path, help="figures as JSON")
    parser.add_argument("--write-site", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write_site:
        write_site(given.write_site)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        found: dict[str, Any] = {}
        for count in (given.count // 100, given.count // 10, given.count):
            folder = root / str(count)
            folder.mkdir(parents=True, exist_ok=True)
            found[str(count)] = measure_writing(folder, count)
            found[str(count)]["browser"] = measure_browser(folder / "site", count)
    for name, figures in found.items():
        print(
            f"{int(name):>9,} samples, 2 models: written in {figures['cpu']:.1f} CPU s "
            f"({figures['cpu'] / figures['floor']:.1f} × reading and dumping), "
            f"{figures['bytes'] / 1e6:.1f} MB, peak memory {figures['peak']:.0f} MiB"
        )
        if figures["browser"]:
            seen = figures["browser"]
            print(
                f"{'':>9}  browser: open {seen['open']:.0f} ms, filter {seen['filter']:.1f} ms, "
                f"search all {seen['search']:.0f} ms, {seen['items']:.0f} list elements"
            )
    most, tenth = found[str(given.count)], found[str(given.count // 10)]
    print(f"memory for ten times the samples: × {most['peak'] / tenth['peak']:.2f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
