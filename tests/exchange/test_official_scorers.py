"""Exported folders in front of the official scorers' own scripts.

Skipped unless `EVALSUITE_OFFICIAL` names a folder with clones of the repositories, each in a folder of its
name: ELLA, geneval, T2I-CompBench, WISE, OneIG-Benchmark, UniGenBench, t2v_metrics, HPSv2, Step1X-Edit,
ImgEdit.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Mapping
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.exchange.official import (
    SIDE,
    exported,
    megfile,
    names_of,
    number_of,
    numbers,
    official,
    reply,
    run_script,
    says_yes,
    stub,
)
from tests.exchange.test_layouts import CASES, Case, images_of
from tests.tasks.asking import write_json
from tests.tasks.test_qa_alignment import HEADER, answers
from tests.tasks.test_rubric import wise

BY_FORM = {case.form: case for case in CASES}


def _number_sent(messages: Any) -> list[int]:
    """The images of a chat request."""
    urls = re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", json.dumps(messages))
    assert urls, "the request shows an image"
    return [number_of(io.BytesIO(base64.b64decode(url))) for url in urls]


# DPG-Bench: the whole script, its network replaced

DPG = [
    ("a1", "1", "0", "entity - whole (cat)"),
    ("a1", "2", "1", "attribute - color (cat, red)"),
    *(("b2", str(n), parents, f"entity - whole ({n})") for n, parents in ((1, "0"), (2, "1"), (3, "1, 2"))),
    *(("c3", str(n), parents, f"other - count ({n})") for n, parents in ((1, "0"), (2, "0"), (3, "2"))),
]


def _dpg(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "dpg_bench.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(HEADER.split(","))
        for item, number, parents, about in DPG:
            table.writerow((item, item, "", number, parents, "", "", about, f"Is {about} there?"))
    said = [
        (item, image, number, "yes" if says_yes(4 * place + image, f"Is {about} there?") else "no")
        for item, number, _, about in DPG
        for image in range(4)
        for place in [("a1", "b2", "c3").index(item)]
    ]
    path = answers(folder / "answers.jsonl", said)
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), "model": "colours"}), *rest]))
    return folder


class _Accelerator:
    is_main_process, process_index, num_processes, device = True, 0, 1, "cpu"

    def prepare(self, model: Any) -> Any:
        return model

    def wait_for_everyone(self) -> None:
        return None


def test_dpg_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("ELLA", "dpg_bench/compute_dpg_bench.py")
    data = _dpg(tmp_path / "data")
    case = Case("dpg", "dpg-bench", _dpg, ("a1.png", "b2.png", "c3.png"))
    folder, scored = exported(case, tmp_path, data)

    def pipeline(task: str, **model: Any) -> Any:
        return lambda asked: {
            "text": "yes" if says_yes(number_of(asked["image"]), asked["question"]) else "no"
        }

    stub(monkeypatch, "accelerate", Accelerator=_Accelerator)
    stub(monkeypatch, "accelerate.utils", gather_object=list)
    stub(monkeypatch, "modelscope.pipelines", pipeline=pipeline)
    stub(monkeypatch, "modelscope.utils.constant", Tasks=type("Tasks", (), {"visual_question_answering": ""}))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    result = tmp_path / "result.txt"
    run_script(
        monkeypatch, script, "--image-root-path", str(folder), "--resolution", str(SIDE), "--pic-num", "4",
        "--csv", str(data / "dpg_bench.csv"), "--res-path", str(result),
    )  # fmt: skip
    told = result.read_text()
    found = numbers(scored)
    score = re.search(r"DPG-Bench score: ([\d.]+)", told)
    assert score is not None
    assert 0 < found["score"] < 1
    assert float(score[1]) == pytest.approx(100 * found["score"])
    first_level = told.split("L1 category scores:")[1].split("L2")[0]
    for name, value in re.findall(r"\t(\w+): ([\d.]+)", first_level):
        assert float(value) == pytest.approx(100 * found[f"questions broad={name}"])


# GenEval: the whole script, its detector replaced


def _seen(number: int) -> dict[str, list[list[float]]]:
    boxes = [[2.0 * i, 0.0, 2.0 * i + 1.0, 8.0, 0.95] for i in range(number % 4)]
    return {"cat": boxes} if boxes else {}


def test_geneval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("geneval", "evaluation/evaluate_images.py")
    cat = {"class": "cat", "count": 1}
    prompts = [
        {"tag": "single_object", "include": [cat], "prompt": "a photo of a cat"},
        {"tag": "counting", "include": [{**cat, "count": 2}], "exclude": [{**cat, "count": 3}],
         "prompt": "a photo of two cats"},
    ]  # fmt: skip
    data = tmp_path / "data"
    data.mkdir()
    (data / "evaluation_metadata.jsonl").write_text("\n".join(map(json.dumps, prompts)))
    files = tuple(f"{n:05}/samples/{i:05}.png" for n in range(2) for i in range(4))
    folder, _ = exported(Case("geneval", "geneval", lambda path: path, files), tmp_path, data)
    classes = (script.parent / "object_names.txt").read_text().splitlines()

    def detect(detector: Any, path: str) -> list[np.ndarray]:
        seen = _seen(number_of(path))
        return [np.array(seen.get(name, []), dtype=float).reshape(-1, 5) for name in classes]

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    stub(monkeypatch, "mmdet", __file__=str(script))
    stub(monkeypatch, "mmdet.apis", inference_detector=detect, init_detector=lambda *given, **more: None)
    stub(
        monkeypatch, "open_clip", create_model_and_transforms=lambda *given, **more: (None, None, None),
        get_tokenizer=lambda name: None,
    )  # fmt: skip
    stub(monkeypatch, "clip_benchmark.metrics.zeroshot_classification")
    run_script(monkeypatch, script, str(folder), "--outfile", str(tmp_path / "results.jsonl"))
    found = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert len(found) == 8
    for row in found:
        number = number_of(row["filename"])
        assert row["prompt"] == prompts[number // 4]["prompt"]
        cats = number % 4
        assert row["correct"] == (cats >= 1 if number < 4 else cats == 2)


# T2I-CompBench: prompts out of names, and the order that 3-in-1 takes for granted


class _Nlp:
    """Stands for spaCy: a text is one chunk."""

    def __call__(self, text: str) -> Any:
        chunk = type("Chunk", (), {"text": text})
        return type("Doc", (), {"noun_chunks": [chunk]})


def test_t2i_compbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("T2I-CompBench", "BLIPvqa_eval/BLIP_vqa.py")
    case = BY_FORM["t2i-compbench"]
    folder, _ = exported(case, tmp_path, case.data(tmp_path / "data"))
    stub(monkeypatch, "spacy", load=lambda name: _Nlp())
    stub(monkeypatch, "BLIP.train_vqa_func", VQA_main=None)
    names_of(script)["Create_annotation_for_BLIP"](f"{folder}/samples/", str(tmp_path), np_index=0)
    rows = json.loads((tmp_path / "vqa_test.json").read_text())
    prompts = ["a red cat", "a blue-green dog and a cup"]
    assert [row["question"] for row in rows] == [f"{prompt}?" for prompt in prompts for _ in range(10)]
    # 3_in_1.py: images 10 i to 10 i + 9 are those of prompt i.
    assert [number_of(row["image"]) for row in rows] == list(range(20))


# WISE: both scripts, the API replaced


@pytest.mark.parametrize("script", ["WISE_legacy/gpt_eval.py", "vllm_eval.py"])
def test_wise(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = official("WISE", script)
    ids = (1, 401, 568)
    data = wise(tmp_path / "data", ids)
    case = BY_FORM["wise"]
    folder, _ = exported(case, tmp_path, data)

    def said(messages: Any) -> str:
        (number,) = _number_sent(messages)
        return f"Consistency: {number}\nRealism: {number}\nAesthetic Quality: {number}\nScore: {number % 2}"

    chat = reply(said)
    completions = type("Completions", (), {"create": staticmethod(chat)})
    client = type("Client", (), {"chat": type("Chat", (), {"completions": completions})})
    stub(
        monkeypatch, "openai", ChatCompletion=completions, OpenAI=lambda **given: client,
        api_key="", api_base="",
    )  # fmt: skip

    def post(url: str, json: Mapping[str, Any], **more: Any) -> Any:
        found = chat(messages=json["messages"])
        return type("Response", (), {"raise_for_status": lambda self: None, "json": lambda self: found})()

    stub(monkeypatch, "requests", post=post)
    rows = [row for name in sorted((data / "data").glob("*.json")) for row in json.loads(name.read_text())]
    write_json(tmp_path / "all.json", rows)
    run_script(
        monkeypatch, path, "--json_path", str(tmp_path / "all.json"), "--image_dir", str(folder),
        "--output_dir", str(tmp_path / "told"), "--api_key", "k", "--model", "judge", "--result_full",
        "full.json", "--result_scores", "scores.jsonl",
        *(("--api_base", "http://localhost") if path.name == "vllm_eval.py" else ()),
    )  # fmt: skip
    full = json.loads((tmp_path / "told/full.json").read_text())
    assert [row["prompt_id"] for row in full] == list(ids)
    assert [number_of(row["image_path"]) for row in full] == [0, 1, 2]
    scores = [json.loads(line) for line in (tmp_path / "told/scores.jsonl").read_text().splitlines()]
    key = "consistency" if path.name == "gpt_eval.py" else "score"
    wanted = [0, 1, 2] if key == "consistency" else [0, 1, 0]
    assert [row[key] for row in scores] == wanted


# OneIG: the whole script, its model replaced


def test_oneig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("OneIG-Benchmark", "scripts/alignment/alignment_score.py")
    case = BY_FORM["oneig"]
    data = case.data(tmp_path / "data")
    question = json.loads((data / "scripts/alignment/Q_D/anime.json").read_text())["000"]["question"]
    said = [
        (f"{kind}/000", image, number, "Yes" if says_yes(4 * place + image, text) else "No")
        for place, kind in enumerate(("anime", "human", "object"))
        for number, text in json.loads(question).items()
        for image in range(4)
    ]
    path = answers(data / "answers.jsonl", said)
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), "model": "colours"}), *rest]))
    folder, scored = exported(case, tmp_path, data)

    class Inferencer:
        def __init__(self, name: str) -> None:
            del name

        def infer_semantic(self, paths: list[str], asked: str) -> list[str]:
            return ["Yes" if says_yes(number_of(one), asked) else "No" for one in paths]

    megfile(monkeypatch)
    monkeypatch.syspath_prepend(str(script.parents[2]))
    stub(monkeypatch, "scripts.utils.inference", Qwen2_5VLBatchInferencer=Inferencer)
    utils = names_of(script.parents[1] / "utils/utils.py")
    stub(monkeypatch, "scripts.utils.utils", **utils)
    monkeypatch.chdir(data)  # the script reads questions below its working folder
    run_script(
        monkeypatch, script, "--image_dirname", str(folder / "images"), "--model_names", "m",
        "--image_grid", "2,2",
    )  # fmt: skip
    (table,) = (data / "results").glob("alignment_score_EN_*.csv")
    value = float(table.read_text().splitlines()[1].split(",")[1])
    assert 0 < value < 1
    assert value == pytest.approx(numbers(scored)["score"])


# UniGenBench: the whole evaluation, the API replaced


def test_unigenbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("UniGenBench", "eval/src/eval_common.py")
    case = BY_FORM["unigenbench"]
    data = case.data(tmp_path / "data")
    table = data / "data/test_prompts_en.csv"
    folder, _ = exported(case, tmp_path, data)

    def said(messages: Any) -> str:
        (number,) = _number_sent(messages)
        return f"<analysis>['seen']</analysis><score>[{number % 3 % 2}]</score>"

    completions = type("Completions", (), {"create": staticmethod(reply(said))})
    client = type("Client", (), {"chat": type("Chat", (), {"completions": completions})})
    stub(monkeypatch, "openai", OpenAI=lambda **given: client)
    names = names_of(script)
    evaluation = names["run_evaluation"]
    evaluation.__globals__["Pool"] = ThreadPool
    monkeypatch.chdir(tmp_path)
    evaluation(str(folder), str(table), "en", "gemini", api_key="k", base_url="u", num_processes=2)
    (summary,) = (tmp_path / "results").glob("*_en.json")
    found = json.loads(summary.read_text())["primary_dimensions"]["Style"]
    assert (found["correct"], found["total"]) == (sum(n % 3 % 2 for n in range(8)), 8)


# GenAI-Bench, HPSv2: every image with its prompt


def test_genai_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("t2v_metrics", "genai_bench/evaluate.py")
    case = BY_FORM["genai"]
    data = case.data(tmp_path / "data")
    folder, _ = exported(case, tmp_path, data)
    prompts = json.loads((data / "genai_image.json").read_text())
    seen: list[tuple[str, int]] = []

    class Stop(Exception):
        pass

    class Model:
        def batch_forward(self, rows: list[Mapping[str, Any]], **more: Any) -> Any:
            seen.extend((row["texts"][0], number_of(row["images"][0])) for row in rows)
            raise Stop

    dataset = type("Dataset", (), {"dataset": prompts, "root_dir": str(data)})
    stub(
        monkeypatch, "t2v_metrics", constants=type("Constants", (), {"HF_CACHE_DIR": ""}),
        get_score_model=lambda **given: Model(),
    )  # fmt: skip
    stub(monkeypatch, "dataset", GenAIBench_Image=lambda **given: dataset)
    with pytest.raises(Stop):
        run_script(
            monkeypatch, script, "--root_dir", str(data), "--output_dir", str(folder), "--gen_model", "m",
            "--result_dir", str(tmp_path / "results"),
        )  # fmt: skip
    assert seen == [(prompt["prompt"], place) for place, prompt in enumerate(prompts.values())]


def test_hpsv2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("HPSv2", "hpsv2/evaluation.py")
    case = BY_FORM["hpsv2"]
    data = case.data(tmp_path / "data")
    folder, _ = exported(case, tmp_path, data)
    stub(monkeypatch, "clint.textui", progress=None)
    stub(monkeypatch, "hpsv2.src.open_clip", create_model_and_transforms=None, get_tokenizer=None)
    stub(monkeypatch, "hpsv2.src.training.train", calc_ImageReward=None, inversion_score=None)
    data_names = dict.fromkeys(("ImageRewardDataset", "collate_rank", "RankingDataset"))
    stub(monkeypatch, "hpsv2.src.training.data", **data_names)
    stub(monkeypatch, "hpsv2.utils", root_path="", hps_version_map={})
    dataset = names_of(script)["BenchmarkDataset"]
    # evaluate_benchmark: every entry of the folder is a style.
    styles = sorted(path.name for path in folder.iterdir())
    assert styles == ["anime", "concept-art", "paintings", "photo"]
    for place, style in enumerate(styles):
        its = dataset(
            str(data / f"benchmark/{style}.json"), str(folder / style), number_of, lambda text: text
        )
        assert [its[i] for i in range(len(its))] == [
            (2 * place, f"{style} of a cat"),
            (2 * place + 1, f"{style} of ink"),
        ]


# Editing: sources and results side by side


def test_gedit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("Step1X-Edit", "GEdit-Bench/test_gedit_score.py")
    case = BY_FORM["gedit"]
    folder, _ = exported(case, tmp_path, case.data(tmp_path / "data"))
    rows = [
        {"key": key, "task_type": kind, "instruction": text, "instruction_language": "en",
         "Intersection_exist": True}
        for key, kind, text in (("a", "color_alter", "make it red"), ("b", "ps_human", "older"))
    ]  # fmt: skip
    shown: list[tuple[tuple[int, int], int, str]] = []

    class VIEScore:
        def __init__(self, **given: Any) -> None:
            del given

        def evaluate(self, images: Any, text: str) -> list[float]:
            shown.append((images[0].size, number_of(images[1]), text))
            return [8.0, 9.0, 8.5]

    megfile(monkeypatch)
    stub(monkeypatch, "viescore", VIEScore=VIEScore)
    stub(monkeypatch, "datasets", load_dataset=lambda name: rows, load_from_disk=None)
    run_script(monkeypatch, script, "--model_name", "m", "--save_path", str(folder.parent))
    assert shown == [((40, 24), 0, "make it red"), ((40, 24), 1, "older")]
    table = folder / "gpt4o/eval_results_new/m_combined_gpt_score.csv"
    assert len(table.read_text().splitlines()) == 3


def test_imgedit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = official("ImgEdit", "Benchmark/Basic/basic_bench.py")
    case = BY_FORM["imgedit"]
    data = case.data(tmp_path / "data")
    folder, _ = exported(case, tmp_path, data)

    def said(messages: Any) -> str:
        return f"result {_number_sent(messages)[1]}"

    completions = type("Completions", (), {"create": staticmethod(reply(said))})
    client = type("Client", (), {"chat": type("Chat", (), {"completions": completions})})
    stub(monkeypatch, "openai", OpenAI=lambda **given: client)
    stub(monkeypatch, "tenacity", retry=None, wait_exponential=None, stop_after_attempt=None)
    edits, prompts = sorted(data.glob("*.json"), key=lambda path: "prompt" in path.name)
    run_script(
        monkeypatch, script, "--result_img_folder", str(folder), "--edit_json", str(edits),
        "--origin_img_root", str(data), "--prompts_json", str(prompts),
    )  # fmt: skip
    assert json.loads((folder / "result.json").read_text()) == {"1": "result 0", "22": "result 1"}
    assert len(images_of(tmp_path / "run", case.task)) == 2
