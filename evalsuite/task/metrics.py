"""The exact scorers, for families and plugins; `evalsuite.metrics` has their modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite._lazy import attach

if TYPE_CHECKING:
    from evalsuite.metrics.alignment import (
        AlignmentRule,
        Pool,
        PromptScore,
        alignment_score,
        group_means,
        pooled,
    )
    from evalsuite.metrics.alignment_answers import REPLIES, geneval_checklist, parse_parents, spellings
    from evalsuite.metrics.anls import anls
    from evalsuite.metrics.boxes import BOX_FORMS, SINGLE_PRECISION, boxes_in, center_inside, iou
    from evalsuite.metrics.captions import CaptionScores, score_captions
    from evalsuite.metrics.choice import CHOICE_RULES, circular_hit, extract_choice
    from evalsuite.metrics.coverage import Coverage, coverage
    from evalsuite.metrics.drift import drift_decay, mean_drift
    from evalsuite.metrics.feature_sets import FeatureSet, cmmd, kernel_distance
    from evalsuite.metrics.frechet import Gaussian, frechet_infinity, gaussian_of
    from evalsuite.metrics.geneval import COLORS, Detection, keep_detections, verdict
    from evalsuite.metrics.images import decode_mask, mse, pixel_distance, psnr, ssim
    from evalsuite.metrics.inception_score import inception_score
    from evalsuite.metrics.influence import cmmd_influence, frechet_influence, kernel_influence
    from evalsuite.metrics.interleaved_answers import (
        OPENING_METRICS,
        OPENING_RATES,
        marked_steps,
        mmie_entries,
        opening_battle,
        opening_grades,
        opening_winner,
    )
    from evalsuite.metrics.judge import (
        imgedit_grade,
        parse_grade,
        parse_pair,
        parse_viescore,
        relative_score,
        viescore,
    )
    from evalsuite.metrics.judge_checks import checked_grade, checked_imgedit_grade, checked_scores
    from evalsuite.metrics.letters import LETTER_RULES, mmmu_open_hit, read_letter
    from evalsuite.metrics.likelihood import choose
    from evalsuite.metrics.meteor import meteor, meteor_obstacle
    from evalsuite.metrics.noun_chunks import (
        CHUNK_PIPELINE,
        chunk_pipeline_name,
        chunk_questions,
        load_chunk_pipeline,
    )
    from evalsuite.metrics.pope import POPE_RULES, PopeReport, pope_report, yes_or_no
    from evalsuite.metrics.ptb import tokenize_captions
    from evalsuite.metrics.puzzle_grids import (
        Grid,
        frames_right,
        maze_frames,
        read_maze,
        read_tiles,
        readable,
    )
    from evalsuite.metrics.puzzles import maze_moves, moves_right
    from evalsuite.metrics.rubric import (
        dreambench_grade,
        kris_dual_grades,
        kris_grade,
        mmie_grade,
        omnicontext_grade,
        omnicontext_reply,
        rise_complete,
        rise_grades,
        rise_numbers,
        rise_score,
        wiscore,
        wise_grades,
        wise_verdict,
    )
    from evalsuite.metrics.short_answers import contains, relaxed_match
    from evalsuite.metrics.spice import spice, spice_obstacle
    from evalsuite.metrics.text_images import (
        cvtg_words,
        longtext_clean,
        longtext_counts,
        oneig_reading,
        quoted_words,
        tiif_gned,
        tiif_recall,
    )
    from evalsuite.metrics.ueval import parse_rubric, reply_says, rubric_met
    from evalsuite.metrics.unig2u import final_answer, judged_flag, last_part
    from evalsuite.metrics.vqa import VQA_RULES, normalize_answer, unanswerability, vqa_accuracy

__all__ = [
    "BOX_FORMS",
    "CHOICE_RULES",
    "CHUNK_PIPELINE",
    "COLORS",
    "LETTER_RULES",
    "OPENING_METRICS",
    "OPENING_RATES",
    "POPE_RULES",
    "REPLIES",
    "SINGLE_PRECISION",
    "VQA_RULES",
    "AlignmentRule",
    "CaptionScores",
    "Coverage",
    "Detection",
    "FeatureSet",
    "Gaussian",
    "Grid",
    "Pool",
    "PopeReport",
    "PromptScore",
    "alignment_score",
    "anls",
    "boxes_in",
    "center_inside",
    "checked_grade",
    "checked_imgedit_grade",
    "checked_scores",
    "choose",
    "chunk_pipeline_name",
    "chunk_questions",
    "circular_hit",
    "cmmd",
    "cmmd_influence",
    "contains",
    "coverage",
    "cvtg_words",
    "decode_mask",
    "dreambench_grade",
    "drift_decay",
    "extract_choice",
    "final_answer",
    "frames_right",
    "frechet_infinity",
    "frechet_influence",
    "gaussian_of",
    "geneval_checklist",
    "group_means",
    "imgedit_grade",
    "inception_score",
    "iou",
    "judged_flag",
    "keep_detections",
    "kernel_distance",
    "kernel_influence",
    "kris_dual_grades",
    "kris_grade",
    "last_part",
    "load_chunk_pipeline",
    "longtext_clean",
    "longtext_counts",
    "marked_steps",
    "maze_frames",
    "maze_moves",
    "mean_drift",
    "meteor",
    "meteor_obstacle",
    "mmie_entries",
    "mmie_grade",
    "mmmu_open_hit",
    "moves_right",
    "mse",
    "normalize_answer",
    "omnicontext_grade",
    "omnicontext_reply",
    "oneig_reading",
    "opening_battle",
    "opening_grades",
    "opening_winner",
    "parse_grade",
    "parse_pair",
    "parse_parents",
    "parse_rubric",
    "parse_viescore",
    "pixel_distance",
    "pooled",
    "pope_report",
    "psnr",
    "quoted_words",
    "read_letter",
    "read_maze",
    "read_tiles",
    "readable",
    "relative_score",
    "relaxed_match",
    "reply_says",
    "rise_complete",
    "rise_grades",
    "rise_numbers",
    "rise_score",
    "rubric_met",
    "score_captions",
    "spellings",
    "spice",
    "spice_obstacle",
    "ssim",
    "tiif_gned",
    "tiif_recall",
    "tokenize_captions",
    "unanswerability",
    "verdict",
    "viescore",
    "vqa_accuracy",
    "wiscore",
    "wise_grades",
    "wise_verdict",
    "yes_or_no",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "evalsuite.metrics.alignment": (
                "AlignmentRule Pool PromptScore alignment_score group_means pooled"
            ),
            "evalsuite.metrics.alignment_answers": "REPLIES geneval_checklist parse_parents spellings",
            "evalsuite.metrics.anls": "anls",
            "evalsuite.metrics.boxes": "BOX_FORMS SINGLE_PRECISION boxes_in center_inside iou",
            "evalsuite.metrics.captions": "CaptionScores score_captions",
            "evalsuite.metrics.choice": "CHOICE_RULES circular_hit extract_choice",
            "evalsuite.metrics.coverage": "Coverage coverage",
            "evalsuite.metrics.drift": "drift_decay mean_drift",
            "evalsuite.metrics.feature_sets": "FeatureSet cmmd kernel_distance",
            "evalsuite.metrics.frechet": "Gaussian frechet_infinity gaussian_of",
            "evalsuite.metrics.geneval": "COLORS Detection keep_detections verdict",
            "evalsuite.metrics.images": "decode_mask mse pixel_distance psnr ssim",
            "evalsuite.metrics.inception_score": "inception_score",
            "evalsuite.metrics.influence": "cmmd_influence frechet_influence kernel_influence",
            "evalsuite.metrics.interleaved_answers": (
                "OPENING_METRICS OPENING_RATES marked_steps mmie_entries opening_battle opening_grades"
                " opening_winner"
            ),
            "evalsuite.metrics.judge": (
                "imgedit_grade parse_grade parse_pair parse_viescore relative_score viescore"
            ),
            "evalsuite.metrics.judge_checks": "checked_grade checked_imgedit_grade checked_scores",
            "evalsuite.metrics.letters": "LETTER_RULES mmmu_open_hit read_letter",
            "evalsuite.metrics.likelihood": "choose",
            "evalsuite.metrics.meteor": "meteor meteor_obstacle",
            "evalsuite.metrics.pope": "POPE_RULES PopeReport pope_report yes_or_no",
            "evalsuite.metrics.puzzle_grids": "Grid frames_right maze_frames read_maze read_tiles readable",
            "evalsuite.metrics.puzzles": "maze_moves moves_right",
            "evalsuite.metrics.noun_chunks": (
                "CHUNK_PIPELINE chunk_pipeline_name chunk_questions load_chunk_pipeline"
            ),
            "evalsuite.metrics.ptb": "tokenize_captions",
            "evalsuite.metrics.rubric": (
                "dreambench_grade kris_dual_grades kris_grade mmie_grade omnicontext_grade omnicontext_reply"
                " rise_complete rise_grades rise_numbers rise_score wiscore wise_grades wise_verdict"
            ),
            "evalsuite.metrics.ueval": "parse_rubric reply_says rubric_met",
            "evalsuite.metrics.unig2u": "final_answer judged_flag last_part",
            "evalsuite.metrics.short_answers": "contains relaxed_match",
            "evalsuite.metrics.spice": "spice spice_obstacle",
            "evalsuite.metrics.text_images": (
                "cvtg_words longtext_clean longtext_counts oneig_reading quoted_words tiif_gned tiif_recall"
            ),
            "evalsuite.metrics.vqa": "VQA_RULES normalize_answer unanswerability vqa_accuracy",
        },
    )
