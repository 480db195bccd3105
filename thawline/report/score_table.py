"""Format the scores of one checkpoint for people: name, value, interval."""

from thawline.evaluation.results import Values
from thawline.plots.quantities import interval, percent, ratio

Line = tuple[str, str, str]
FEW = 300
"""Test images up to which the interval is said before the accuracy: at 90 % right it is 7 points
wide with that many, and 19 with 37."""
_PERCENT = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "rare_recall": "recall of the rarest third of the classes",
    **{f"top_{k}_accuracy": f"right class among the {k} likeliest" for k in (2, 3, 4, 5)},
    "accuracy_at_80_coverage": "accuracy on the surest 80 % of the images",
    "ece": "calibration error (ECE)",
    "ece_scaled": "calibration error after temperature scaling",
}
_RATIO = {
    "macro_f1": "macro-F1",
    "kappa": "Cohen's kappa",
    "macro_roc_auc": "ROC-AUC, mean over classes",
    "macro_average_precision": "PR-AUC (average precision), mean over classes",
    "brier": "Brier score, 0 is the best",
    "nll": "negative log-likelihood, nats",
    "nll_scaled": "negative log-likelihood after temperature scaling",
    "temperature": "temperature, fitted on validation rows",
    "mean_entropy": "mean entropy of a prediction, nats",
    "aurc": "area under risk against coverage, 0 is the best",
}


def how_wide(row: Values) -> str:
    """Format the width of the accuracy's interval; empty with more than FEW test images."""
    if row["num_images"] > FEW:
        return ""
    images = "1 test image" if row["num_images"] == 1 else f"{row['num_images']} test images"
    return f"{images}: the 95 % interval is {points_wide(row)}"


def points_wide(row: Values) -> str:
    """Format the width of the accuracy's interval, in percentage points."""
    return f"{100 * (row['accuracy_high'] - row['accuracy_low']):.0f} points wide"


def wide_before_much(row: Values) -> str:
    """Format the interval's width, then the accuracy; empty with many test images."""
    wide = how_wide(row)
    if not wide:
        return ""
    ends = interval(row["accuracy_low"], row["accuracy_high"])
    return f"{wide}; accuracy {percent(row['accuracy'])} ({ends})"


def lines(row: Values) -> list[Line]:
    """Format the known scores of a checkpoint, ratios in percent first."""
    return [
        *(
            (text, percent(row[key]), _percent_range(row, key))
            for key, text in _known(_PERCENT, row)
        ),
        *((text, ratio(row[key]), _ratio_range(row, key)) for key, text in _known(_RATIO, row)),
    ]


def _known(names: dict[str, str], row: Values) -> list[tuple[str, str]]:
    return [(key, text) for key, text in names.items() if row.get(key) is not None]


def _percent_range(row: Values, key: str) -> str:
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return "" if low is None or high is None else interval(low, high)


def _ratio_range(row: Values, key: str) -> str:
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
