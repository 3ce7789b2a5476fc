"""What detections are worth: matches, average precision, thresholds, confidence, reports.

Invariant: all functions take video id → events and never read a video, a track file or a database.
`html_report` is imported by its own name; nothing else here writes files.
"""

from prismata.evaluation.bootstrap import bootstrap_interval
from prismata.evaluation.calibration import (
    calibrate,
    confidence_of,
    judge_candidates,
    uncalibrated,
)
from prismata.evaluation.chance import cadence_guesses, motion_scores
from prismata.evaluation.counting import EventCounts, count_events
from prismata.evaluation.frames import FrameQuality, frame_auc
from prismata.evaluation.matching import Match, match_events
from prismata.evaluation.mistakes import Mistake, worst_mistakes
from prismata.evaluation.points import PointTolerance, point_average_precision
from prismata.evaluation.report import (
    EvaluationProtocol,
    EvaluationReport,
    MeanPrecision,
    TypeReport,
    evaluate,
)
from prismata.evaluation.segments import MinTiou, segment_average_precision
from prismata.evaluation.thresholds import ThresholdChoice, choose_threshold, product_criterion

__all__ = [
    "EvaluationProtocol",
    "EvaluationReport",
    "EventCounts",
    "FrameQuality",
    "Match",
    "MeanPrecision",
    "MinTiou",
    "Mistake",
    "PointTolerance",
    "ThresholdChoice",
    "TypeReport",
    "bootstrap_interval",
    "cadence_guesses",
    "calibrate",
    "choose_threshold",
    "confidence_of",
    "count_events",
    "evaluate",
    "frame_auc",
    "judge_candidates",
    "match_events",
    "motion_scores",
    "point_average_precision",
    "product_criterion",
    "segment_average_precision",
    "uncalibrated",
    "worst_mistakes",
]
