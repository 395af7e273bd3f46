"""Readers of official files, hub tables and images, for families and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.data import documents, dreambooth, instructpix2pix, jsonfile, magicbrush, piebench
    from evalsuite.data.checksum import files_fingerprint, sha256_of
    from evalsuite.data.coco import Captioned, find_image, read_captions, read_karpathy
    from evalsuite.data.documents import InterleavedDocument
    from evalsuite.data.dreambooth import Subject
    from evalsuite.data.edits import Session, Turn, read_table_of_edits
    from evalsuite.data.files import Origin, inside
    from evalsuite.data.folders import ImageFolder, images_in
    from evalsuite.data.hub import cached, snapshot
    from evalsuite.data.images import decode, image_size, lossy
    from evalsuite.data.inspection import DataReport
    from evalsuite.data.jsonfile import field, read_json, read_lines
    from evalsuite.data.prompts import read_narratives, read_prompt_table
    from evalsuite.data.table import image_cell, read_table
    from evalsuite.data.tsv import ImageTable
    from evalsuite.data.vqav2 import Question, human_answers, read_questions
    from evalsuite.task.captioned import read_coco, read_karpathy_split
    from evalsuite.task.mcq import McqQuestion, McqSettings, open_answers, options_of, right_letter
    from evalsuite.task.reading import Reader, reader
    from evalsuite.task.table_readers import YesNoQuestion, yes
    from evalsuite.task.table_rows import (
        TableRow,
        TableSettings,
        compiled,
        required_text,
        table_rows,
        text_of_cell,
    )

__all__ = [
    "Captioned",
    "DataReport",
    "ImageFolder",
    "ImageTable",
    "InterleavedDocument",
    "McqQuestion",
    "McqSettings",
    "Origin",
    "Question",
    "Reader",
    "Session",
    "Subject",
    "TableRow",
    "TableSettings",
    "Turn",
    "YesNoQuestion",
    "cached",
    "compiled",
    "decode",
    "documents",
    "dreambooth",
    "field",
    "files_fingerprint",
    "find_image",
    "human_answers",
    "image_cell",
    "image_size",
    "images_in",
    "inside",
    "instructpix2pix",
    "jsonfile",
    "lossy",
    "magicbrush",
    "open_answers",
    "options_of",
    "piebench",
    "read_captions",
    "read_coco",
    "read_json",
    "read_karpathy",
    "read_karpathy_split",
    "read_lines",
    "read_narratives",
    "read_prompt_table",
    "read_questions",
    "read_table",
    "read_table_of_edits",
    "reader",
    "required_text",
    "right_letter",
    "sha256_of",
    "snapshot",
    "table_rows",
    "text_of_cell",
    "yes",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.data.checksum": "files_fingerprint sha256_of",
            "evalsuite.data.coco": "Captioned find_image read_captions read_karpathy",
            "evalsuite.data.documents": "InterleavedDocument",
            "evalsuite.data.dreambooth": "Subject",
            "evalsuite.data.edits": "Session Turn read_table_of_edits",
            "evalsuite.data.files": "Origin inside",
            "evalsuite.data.folders": "ImageFolder images_in",
            "evalsuite.data.hub": "cached snapshot",
            "evalsuite.data.images": "decode image_size lossy",
            "evalsuite.data.inspection": "DataReport",
            "evalsuite.data.jsonfile": "field read_json read_lines",
            "evalsuite.data.prompts": "read_narratives read_prompt_table",
            "evalsuite.data.table": "image_cell read_table",
            "evalsuite.data.tsv": "ImageTable",
            "evalsuite.data.vqav2": "Question human_answers read_questions",
            "evalsuite.task.captioned": "read_coco read_karpathy_split",
            "evalsuite.task.mcq": "McqQuestion McqSettings open_answers options_of right_letter",
            "evalsuite.task.reading": "Reader reader",
            "evalsuite.task.table_readers": "YesNoQuestion yes",
            "evalsuite.task.table_rows": (
                "TableRow TableSettings compiled required_text table_rows text_of_cell"
            ),
            "evalsuite.data": "documents dreambooth instructpix2pix jsonfile magicbrush piebench",
        },
    )
