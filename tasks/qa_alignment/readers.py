"""Prompts with questions: files of DPG-Bench, DSG, OneIG, TIFA, GenEval 2, GenEval++, TIIF-Bench and
UniGenBench, and plain JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evalsuite.errors import DataError, SampleError
from evalsuite.task import Located
from evalsuite.task.metrics import (
    CHUNK_PIPELINE,
    chunk_pipeline_name,
    chunk_questions,
    geneval_checklist,
    load_chunk_pipeline,
    parse_parents,
)
from evalsuite.task.readers import field, read_json, read_lines
from evalsuite.task.wording import python_value

from .records import AlignmentQuestion, QuestionedPrompt, check_graph

_WRONG_FILE = "Is this the benchmark's file?"


def _rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV file with `file, line` for messages. Raises DataError for an absent column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            for name in columns:
                if name not in (reader.fieldnames or ()):
                    known = ", ".join(reader.fieldnames or ()) or "none"
                    raise DataError(f"{path} has no column {name!r} (there are: {known}).", _WRONG_FILE)
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if None in row.values():
                    raise DataError(f"{where}: the row is cut off.", "Fetch the file again.")
                yield where, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}).", "Check the file.") from error


_COLUMNS = MappingProxyType(
    {
        "id": "item_id",
        "prompt": "text",
        "question_id": "proposition_id",
        "question": "question_natural_language",
        "parents": "dependency",
        "tuple": "tuple",
    }
)


def read_question_table(source: Located) -> Iterator[QuestionedPrompt]:
    """`questions`: a CSV file with a row per question (DPG-Bench, DSG-1k); `columns` may name others.

    A question's labels are `category` (the tuple before the parenthesis) and `broad` (before the dash). An id
    that comes back further down begins again, as in the official script.

    Raises DataError for a missing column, ids that are no numbers, questions that depend on each other.
    """
    columns = {**_COLUMNS, **source.columns}
    path = source.path("questions")
    items: dict[str, tuple[str, str, dict[str, AlignmentQuestion]]] = {}
    before: str | None = None
    first = True
    for where, row in _rows(path, columns.values()):
        cell = {ours: row[name] for ours, name in columns.items()}
        item = cell["id"]
        if item != before:
            items[item] = (where, cell["prompt"], {})
        before = item
        category = cell["tuple"].split("(")[0].strip()
        try:
            number, parents = str(int(cell["question_id"])), parse_parents(cell["parents"])
        except (ValueError, SampleError) as error:
            raise DataError(f"{where}: {error}.", _WRONG_FILE) from error
        labels = {"category": category, "broad": category.split("-")[0].strip()}
        items[item][2][number] = AlignmentQuestion(
            number, cell["question"], parents=parents, labels=labels, first=first
        )
        first = False
    for item, (_, prompt, questions) in items.items():
        yield QuestionedPrompt(
            item, prompt, tuple(questions.values()), {"source": item.rstrip("0123456789_")}
        )


def read_oneig(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts`: OneIG's table; its questions and their dependencies lie in a file per set of images.

    `settings.sets`: set -> category in the table; the files' role is `questions_SET`. `settings.prompt`: the
    prompt's column.

    Raises DataError for a prompt without questions or the other way round.
    """
    column, sets = source.settings["prompt"], source.settings["sets"]
    prompts: dict[tuple[str, str], str] = {}
    for _, row in _rows(source.path("prompts"), ("category", "id", column)):
        prompts[row["category"], row["id"]] = row[column]
    for name, category in sets.items():
        path = source.path(f"questions_{name}")
        for key, row in read_json(path).items():
            where = f"{path}, {key}"
            if (category, key) not in prompts:
                raise DataError(f"{where}: {source.path('prompts')} has no such prompt.", _WRONG_FILE)
            texts, parents = (
                json.loads(cell) if isinstance(cell, str) else cell
                for cell in (
                    field(row, "question", (str, dict), where),
                    field(row, "dependency", (str, dict), where),
                )
            )
            questions = tuple(
                AlignmentQuestion(
                    number, text, "Yes", tuple(map(str, parents.get(number, ()))), {"set": name}
                )
                for number, text in texts.items()
            )
            yield QuestionedPrompt(f"{name}/{key}", prompts[category, key], questions, {"set": name})


def read_oneig_measured(source: Located) -> Iterator[QuestionedPrompt]:
    """OneIG's prompts whose images a network measures, one number each: `prompts`, its table.

    `settings.sets`: set -> category in the table; `settings.prompt`: the prompt's column; `settings.classes`:
    only prompts with a `class` count, which becomes the label `style`. `texts`, where it is: id -> the text
    that an image is compared with.

    Raises DataError for a missing column, and for an id without a text.
    """
    column, sets = str(source.settings["prompt"]), dict(source.settings["sets"])
    classes = bool(source.settings.get("classes"))
    texts = read_json(source.path("texts")) if source.has("texts") else {}
    names = {category: name for name, category in sets.items()}
    for where, row in _rows(source.path("prompts"), ("category", "id", column, "class")):
        name, style = names.get(row["category"]), row["class"].strip().lower().replace(" ", "_")
        if name is None or (classes and not style):
            continue
        if source.has("texts") and row["id"] not in texts:
            raise DataError(f"{where}: {source.path('texts')} has nothing for {row['id']}.", _WRONG_FILE)
        question = AlignmentQuestion("value", texts.get(row["id"], ""))
        labels = {"set": name, **({"style": style} if classes else {})}
        yield QuestionedPrompt(f"{name}/{row['id']}", row[column], (question,), labels)


def read_tifa(source: Located) -> Iterator[QuestionedPrompt]:
    """`questions`: TIFA's list of `{id, caption, question, choices, answer, element_type}`."""
    path = source.path("questions")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} must be a list of questions, not {type(rows).__name__}.", _WRONG_FILE)
    captions: dict[str, str] = {}
    found: dict[str, list[AlignmentQuestion]] = {}
    for place, row in enumerate(rows):
        where = f"{path}, question {place}"
        key = str(field(row, "id", (str, int), where))
        captions[key] = field(row, "caption", str, where)
        asked = found.setdefault(key, [])
        choices = ", ".join(field(row, "choices", list, where))
        text = f"{field(row, 'question', str, where)} Choices: {choices}"
        labels = {"type": field(row, "element_type", str, where)}
        answer = field(row, "answer", str, where)
        asked.append(AlignmentQuestion(str(len(asked) + 1), text, answer, (), labels))
    for key, asked in found.items():
        yield QuestionedPrompt(key, captions[key], tuple(asked), {"source": key.rsplit("_", 1)[0]})


def read_genai(source: Located) -> Iterator[QuestionedPrompt]:
    """GenAI-Bench's `prompts`, an object id -> {prompt}, and `skills`, an object skill -> numbers of prompts.

    One question per prompt, the prompt itself. Labels: `skills`, joined by plus signs, and `tagged`.

    Raises DataError for skills of a prompt that is not there.
    """
    path, tags = source.path("prompts"), source.path("skills")
    rows, skills = read_json(path), read_json(tags)
    if not isinstance(rows, dict) or not isinstance(skills, dict):
        raise DataError(f"{path} and {tags} must be objects by id and by skill.", _WRONG_FILE)
    of: dict[int, list[str]] = {}
    for skill in skills:
        for number in field(skills, skill, list, str(tags)):
            of.setdefault(int(number), []).append(skill)
    numbered = {int(key): (key, row) for key, row in rows.items() if str(key).isdecimal()}
    unknown = sorted(of.keys() - numbered.keys())
    if unknown or len(numbered) != len(rows):
        what = f"there is no prompt {unknown[0]}" if unknown else f"{path} has ids that are no numbers"
        raise DataError(f"{tags}: {what}.", "Are both files of the same release?")
    for number, (key, row) in numbered.items():
        prompt = field(row, "prompt", str, f"{path}, {key}")
        labels = {"tagged": "yes" if number in of else "no"}
        labels |= {"skills": "+".join(of[number])} if number in of else {}
        yield QuestionedPrompt(key, prompt, (AlignmentQuestion("1", prompt, "Yes"),), labels)


def read_geneval2(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts`: GenEval 2's `geneval2_data.jsonl` (prompt, atom_count, vqa_list, skills)."""
    path = source.path("prompts")
    for place, (line, row) in enumerate(read_lines(path)):
        where = f"{path}, line {line}"
        pairs, skills = field(row, "vqa_list", list, where), field(row, "skills", list, where)
        if len(pairs) != len(skills):
            raise DataError(f"{where}: {len(pairs)} questions have {len(skills)} skills.", _WRONG_FILE)
        questions = tuple(
            AlignmentQuestion(str(number), text, answer, (), {"skill": skill})
            for number, ((text, answer), skill) in enumerate(zip(pairs, skills, strict=True), start=1)
        )
        labels = {"atoms": str(field(row, "atom_count", int, where))}
        yield QuestionedPrompt(f"{place:04}", field(row, "prompt", str, where), questions, labels)


def read_geneval_plus_plus(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts`: GenEval++'s JSON lines (tag, include, prompt); the checklist is the one question."""
    path = source.path("prompts")
    for place, (line, row) in enumerate(read_lines(path), start=1):
        where = f"{path}, line {line}"
        for item in field(row, "include", list, where):
            field(item, "class", str, where)
        checklist, tag = geneval_checklist(row), field(row, "tag", str, where)
        question = AlignmentQuestion("1", checklist, "1", (), {"tag": tag})
        yield QuestionedPrompt(
            str(place), field(row, "prompt", str, where).strip(), (question,), {"tag": tag}
        )


def read_tiif(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts` and `questions`: TIIF-Bench's JSON lines of every type, paired by line; each prompt has
    its short and its long wording (label `length`)."""
    asked = {path.name.removesuffix("_eval_prompts.jsonl"): path for path in source.paths("questions")}
    for path in source.paths("prompts"):
        name = path.name.removesuffix("_prompts.jsonl")
        if name not in asked:
            raise DataError(f"{path}: there are no questions for the type {name!r}.", "Fetch the data again.")
        prompts, questions = list(read_lines(path)), list(read_lines(asked[name]))
        if len(prompts) != len(questions):
            raise DataError(
                f"{path} has {len(prompts)} prompts, {asked[name]} {len(questions)} lists of questions.",
                "Both must be of one version.",
            )
        for place, ((line, prompt), (_, row)) in enumerate(zip(prompts, questions, strict=True)):
            where = f"{path}, line {line}"
            kind = field(prompt, "type", str, where)
            texts = field(row, "yn_question_list", list, where)
            answers = field(row, "yn_answer_list", list, where)
            listed = tuple(
                AlignmentQuestion(str(number), text.strip(), answer, (), {"type": kind})
                # The official script pairs them as far as the shorter list goes.
                for number, (text, answer) in enumerate(zip(texts, answers, strict=False), start=1)
            )
            for length in ("short", "long"):
                text = field(prompt, f"{length}_description", str, where)
                labels = {"type": kind, "length": length}
                yield QuestionedPrompt(f"{name}/{length}/{place}", text, listed, labels)


def read_unigenbench(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts`: UniGenBench's CSV (index, prompt, JSON of test points); `wording`: its script.

    `settings`: the columns, the names of the JSON's lists and of the script's explanations, the language."""
    names = source.settings
    script = source.path("wording")
    explained = python_value(script, names["explanations"])
    config = python_value(script, "LANG_CONFIGS", names["language"])
    path = source.path("prompts")
    for where, row in _rows(path, ("index", names["prompt"], names["points_column"])):
        try:
            made = json.loads(row[names["points_column"]])
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: the test points are no JSON ({error}).", _WRONG_FILE) from error
        points, described = (field(made, names[key], list, where) for key in ("points", "descriptions"))
        if len(points) != len(described):
            raise DataError(
                f"{where}: {len(points)} test points, {len(described)} descriptions.", _WRONG_FILE
            )
        questions = tuple(
            AlignmentQuestion(
                str(number),
                f"{point}: {text}",
                "1",
                (),
                {"dimension": point.split("-", 1)[0].strip(), "test point": point},
            )
            for number, (point, text) in enumerate(zip(points, described, strict=True), start=1)
        )
        for point in points:
            if point not in explained:
                raise DataError(f"{where}: {script} does not explain the test point {point!r}.", _WRONG_FILE)
        wording = {
            "testpoint": points,
            "explanation": _quoted(
                config["checkpoint_header"], points, [explained[point] for point in points]
            ),
            "test_explanation": _quoted(config["checkpoint_desc_header"], points, described),
        }
        yield QuestionedPrompt(row["index"], row[names["prompt"]], questions, {}, wording)


def _quoted(heading: str, points: Sequence[str], texts: Sequence[str]) -> str:
    lines = "".join(f"\n{point}: {text}" for point, text in zip(points, texts, strict=True))
    return f"{heading}:\u300c{lines}\n\u300d"


def read_alignment_lines(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts`: JSON lines `{id, prompt, questions, labels?}`.

    A question is `{id, text, expected?, parents?, labels?}`.
    """
    path = source.path("prompts")
    for line, row in read_lines(path):
        where = f"{path}, line {line}"
        questions = tuple(_listed(one, f"{where}, questions") for one in field(row, "questions", list, where))
        key = str(field(row, "id", (str, int), where))
        yield QuestionedPrompt(key, field(row, "prompt", str, where), questions, _labels(row, where))


def read_compbench(source: Located) -> Iterator[QuestionedPrompt]:
    """`prompts`: T2I-CompBench's text file, a prompt a line; spaCy makes the questions about its noun chunks.

    The setting `pipeline` names another than the authors'; name and version are labels of the prompts, so
    that questions of two pipelines are different data.

    Raises:
        UnavailableError: spaCy or the pipeline is not installed.
        DataError: the file has no prompts.
    """
    path = source.path("prompts")
    pipeline = load_chunk_pipeline(source.settings.get("pipeline", CHUNK_PIPELINE))
    made_by = chunk_pipeline_name(pipeline)
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    prompts = [line for line in lines if line]
    if not prompts:
        raise DataError(f"{path} has no prompts.", "Is this T2I-CompBench's file?")
    for number, prompt in enumerate(prompts):
        questions = tuple(
            AlignmentQuestion(str(place), text)
            for place, text in enumerate(chunk_questions(prompt, pipeline), start=1)
        )
        yield QuestionedPrompt(str(number), prompt, questions, {"questions by": made_by})


def _listed(row: Any, where: str) -> AlignmentQuestion:
    name = str(field(row, "id", (str, int), where))
    return AlignmentQuestion(
        name,
        field(row, "text", str, where),
        field({"expected": "yes", **row}, "expected", str, where),
        tuple(map(str, field({"parents": [], **row}, "parents", list, where))),
        _labels(row, f"{where} {name}"),
    )


def _labels(row: Mapping[str, Any], where: str) -> dict[str, str]:
    found = field({"labels": {}, **row}, "labels", dict, where)
    return {str(name): str(value) for name, value in found.items()}


def read_checked(source: Located, read: Any) -> Iterator[QuestionedPrompt]:
    """What a reader gives. Raises DataError for a prompt without questions, and for a circle among them."""
    for one in read(source):
        where = f"{source.folder}, prompt {one.id}"
        if not one.questions:
            raise DataError(f"{where} has no questions.", "Correct the file of questions.")
        if source.settings.get("acyclic", True):
            check_graph(one.questions, where)
        yield one


READERS = MappingProxyType(
    {
        "alignment-jsonl": read_alignment_lines,
        "genai-json": read_genai,
        "geneval2-jsonl": read_geneval2,
        "geneval-plus-plus-jsonl": read_geneval_plus_plus,
        "oneig-folder": read_oneig,
        "oneig-measured": read_oneig_measured,
        "question-table": read_question_table,
        "t2i-compbench-text": read_compbench,
        "tifa-json": read_tifa,
        "tiif-folder": read_tiif,
        "unigenbench-csv": read_unigenbench,
    }
)
