import hashlib
import io
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_digits

from thawline.metrics.calibration import reliability
from thawline.metrics.classification import score
from thawline.plots import class_sizes, style
from thawline.report import charts, gallery
from thawline.training.curves import SCORES, Curves

START = {"val_loss": 0.7, "val_accuracy": 0.778, "val_macro_f1": 0.76}
NASTY = (
    "$x^2$",
    r"$\frac",
    "a\nb\u202ec",
    "_hidden",
    "\u732b",
    "\U0001f600",
    "a" * 255,
    "<b>&|`",
    "",
    "-rf",
)


def predictions(num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(num_classes)
    labels = rng.integers(0, num_classes, 20 * num_classes)
    logits = rng.normal(size=(len(labels), num_classes))
    logits[np.arange(len(labels)), labels] += 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), labels


def curve(num_epochs: int, best_epoch: int = 1, **start: float) -> Curves:
    epochs = np.arange(1.0, num_epochs + 1)
    keys = ("train_loss", "val_loss", "val_accuracy", "val_macro_f1", "learning_rate")
    kept = dict.fromkeys(SCORES, 1.0) if best_epoch else start
    columns = {"epoch": epochs, **dict.fromkeys(keys, 1 / epochs)}
    return Curves(epochs=columns, best_epoch=best_epoch, kept=kept, start=start)


def legends(stage: Curves) -> list[str]:
    (_, scores) = charts.curves({"fine_tune": stage}).axes
    return [text.get_text() for text in scores.get_legend().get_texts()]


def level_lines(stage: Curves) -> set[float]:
    (_, scores) = charts.curves({"fine_tune": stage}).axes
    lines = (np.asarray(line.get_ydata(), float) for line in scores.get_lines())
    return {float(y[0]) for y in lines if len(y) == 2 and y[0] == y[1]}


def every_figure(classes: tuple[str, ...]) -> dict[str, Figure]:
    probabilities, labels = predictions(len(classes))
    scores = score(probabilities, labels)
    wrong = gallery.confident_mistakes(probabilities, labels)
    images = np.random.default_rng(0).integers(0, 256, (len(wrong), 16, 16, 3), dtype=np.uint8)
    predicted = probabilities[wrong].argmax(axis=1)
    return {
        "curves": charts.curves(
            {
                "transfer_learn": curve(5),
                "fine_tune": curve(1, best_epoch=0, **START),
            }
        ),
        "confusion": charts.confusion(scores.confusion, classes),
        "classes": class_sizes.class_distribution(
            classes,
            before=scores.support,
            after=scores.support,
            val=scores.support,
            test=scores.support,
        ),
        "reliability": charts.reliability_diagram(reliability(probabilities, labels)),
        "per_class": charts.per_class_f1(
            classes, f1=scores.f1, support=scores.support, macro_f1=scores.macro_f1
        ),
        "mistakes": gallery.mistakes(
            images,
            actual=[classes[i] for i in labels[wrong]],
            predicted=[classes[i] for i in predicted],
            confidence=probabilities[wrong].max(axis=1),
            num_mistakes=len(wrong),
            num_images=len(labels),
        ),
    }


def hashes(folder: Path, drawn: dict[str, Figure]) -> dict[str, str]:
    for name, figure in drawn.items():
        style.save(figure, folder / f"{name}.png")
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.slow
def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first = hashes(tmp_path / "a", every_figure(NASTY))
    matplotlib.rcParams["font.size"] = 20  # a user's own settings must not matter
    try:
        assert hashes(tmp_path / "b", every_figure(NASTY)) == first
    finally:
        matplotlib.rcdefaults()


@pytest.mark.parametrize("num_classes", [2, pytest.param(300, marks=pytest.mark.slow)])
def test_any_number_of_classes_fits_on_a_picture_of_bounded_size(
    num_classes: int, tmp_path: Path
) -> None:
    names = tuple(f"class {i}" for i in range(num_classes))
    for name in hashes(tmp_path, every_figure(names)):
        with Image.open(io.BytesIO((tmp_path / name).read_bytes())) as image:
            assert 300 < image.width < 2600
            assert 150 < image.height < 3000
            assert "Software" not in image.info


def test_labels_show_what_the_font_lacks_or_hides() -> None:
    assert style.label("a\nb\u202ec") == r"a\nb\u202ec"
    assert style.label("\u732b cat") == r"\u732b cat"
    assert style.label("Äpfel $5$") == "Äpfel $5$"
    assert len(style.label("a" * 255)) == 24


def test_mistakes_are_the_wrong_ones_surest_first() -> None:
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)
    labels = np.array([1, 1, 1, 0])
    assert gallery.confident_mistakes(probabilities, labels).tolist() == [2, 3, 0]
    assert gallery.confident_mistakes(probabilities, labels, limit=1).tolist() == [2]


def test_no_mistake_is_a_picture_too(tmp_path: Path) -> None:
    none = gallery.mistakes(
        load_digits().images[:0, ..., None].repeat(3, -1).astype(np.uint8),
        actual=(),
        predicted=(),
        confidence=np.empty(0),
        num_mistakes=0,
        num_images=360,
    )
    style.save(none, tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 1000


def test_a_training_that_was_thrown_away_keeps_the_start() -> None:
    thrown_away = curve(6, best_epoch=0, **START)
    assert legends(thrown_away) == ["accuracy", "macro-F1", "kept: the start, 76.0%"]
    assert level_lines(thrown_away) == {START["val_accuracy"], START["val_macro_f1"]}


def test_a_start_that_was_bettered_is_a_level_line_too() -> None:
    bettered = curve(6, **START)
    assert legends(bettered)[-1] == "kept: 100.0%"
    assert level_lines(bettered) == {START["val_accuracy"], START["val_macro_f1"]}
    assert level_lines(curve(6)) == set()


def test_no_loss_of_a_later_stage_is_cut_off() -> None:
    high = Curves(**{**vars(curve(3)), "epochs": {**curve(3).epochs, "val_loss": np.full(3, 9.0)}})
    losses = charts.curves({"transfer_learn": curve(5), "fine_tune": high}).axes[1]
    assert losses.get_ylim()[0] == 0
    assert losses.get_ylim()[1] >= 9
