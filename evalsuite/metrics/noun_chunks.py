"""Questions about the noun chunks of a prompt (T2I-CompBench's B-VQA), made with a spaCy pipeline.

Another pipeline, or another version of one, finds other chunks, and so other questions and scores.
"""

from __future__ import annotations

from typing import Any

from evalsuite.errors import UnavailableError

CHUNK_PIPELINE = "en_core_web_sm"
"""The authors' pipeline."""
MOST = 8
"""Chunks that are asked about."""
_PLACES = frozenset({"top", "the side", "the left", "the right"})
"""Chunks that say where something is; nothing is asked about them."""


def load_chunk_pipeline(name: str = CHUNK_PIPELINE) -> Any:
    """A spaCy pipeline by its name, or from a folder. Raises UnavailableError where it is not installed."""
    try:
        import spacy

        return spacy.load(name)
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"The spaCy pipeline {name} cannot be loaded ({error}).",
            f"pip install spacy && python -m spacy download {CHUNK_PIPELINE}, or give a file with the"
            " questions.",
        ) from error


def chunk_questions(prompt: str, pipeline: Any, most: int = MOST) -> tuple[str, ...]:
    """One question per noun chunk that says no place ("a red book?"), the first `most` of them.

    Args:
        pipeline: what `load_chunk_pipeline` gives, or anything whose result has `noun_chunks` with a `text`
            each.

    Source: Karine-Huang/T2I-CompBench `BLIPvqa_eval/BLIP_vqa.py`.
    """
    chunks = [chunk.text for chunk in pipeline(prompt).noun_chunks]
    return tuple(f"{chunk}?" for chunk in chunks if chunk not in _PLACES)[:most]


def chunk_pipeline_name(pipeline: Any) -> str:
    """Name and version, as they belong to a score: `core_web_sm 3.8.0 (spaCy 3.8.7)`."""
    import spacy

    meta = pipeline.meta
    return f"{meta['name']} {meta['version']} (spaCy {spacy.__version__})"
