from pathlib import Path

import pytest

from thawline.compress.curve import Point, choose, read, write
from thawline.plots import style
from thawline.report import pruning_curve, report_figures


def point(ratio: float, val_accuracy: float, macs: int, mb: float = 1.0) -> Point:
    return Point(
        ratio=ratio, val_accuracy=val_accuracy, macs=macs, parameters=1, bytes=int(mb * 1e6)
    )


CURVE = (
    point(0.0, 0.95, 100, 10),
    point(0.2, 0.945, 60, 6),
    point(0.4, 0.94, 35, 4),
    point(0.6, 0.80, 20, 2),
)


@pytest.mark.parametrize(
    ("limits", "ratio", "reason"),
    [
        ({}, 0.4, "knee"),
        ({"min_accuracy": 0.942}, 0.2, "within the budget"),
        ({"min_accuracy": 0.5}, 0.6, "within the budget"),
        ({"max_size_mb": 6.0}, 0.6, "within the budget"),
        ({"min_accuracy": 0.93, "max_size_mb": 6.0}, 0.4, "within the budget"),
        ({"min_accuracy": 0.99}, 0.0, "none is within the budget"),
        ({"min_accuracy": 0.945, "max_size_mb": 5.0}, 0.0, "none is within the budget"),
    ],
    ids=str,
)
def test_the_budget_decides_and_without_one_the_knee(
    limits: dict[str, float], ratio: float, reason: str
) -> None:
    given = {"min_accuracy": None, "max_size_mb": None} | limits
    for points in (CURVE, CURVE[::-1]):
        chosen, why = choose(points, **given)
        assert chosen.ratio == ratio
        assert reason in why


@pytest.mark.parametrize(
    ("points", "ratio"),
    [
        (CURVE[2:3], 0.4),
        (CURVE[:2], 0.0),
        ((point(0, 0.9, 100), point(0.5, 0.9, 40)), 0.5),
        ((point(0, 0.9, 100), point(0.5, 0.95, 40)), 0.5),
        ((point(0, 0.9, 100), point(0.1, 0.9, 100)), 0),
    ],
    ids=str,
)
def test_short_and_flat_curves(points: tuple[Point, ...], ratio: float) -> None:
    assert choose(points, min_accuracy=None, max_size_mb=None)[0].ratio == ratio


def test_the_report_draws_the_curve_where_there_is_one(tmp_path: Path) -> None:
    figures, table = tmp_path / "figures", tmp_path / "pruning.csv"
    write(table, [])
    assert report_figures.pruning(figures, table, None) == []
    write(table, CURVE[:1])
    assert report_figures.pruning(figures, table, 0.0) == []
    write(table, CURVE)
    assert read(table) == list(CURVE)
    (picture,) = report_figures.pruning(figures, table, 0.4)
    style.save(pruning_curve.draw(CURVE, CURVE[2]), tmp_path / "expected.png")
    assert (tmp_path / picture.path).read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_equal_points_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.csv", CURVE)
        style.save(pruning_curve.draw(CURVE, CURVE[2]), tmp_path / f"{name}.png")
    assert (tmp_path / "a.csv").read_text().splitlines()[:2] == [
        "ratio,val_accuracy,macs,parameters,bytes",
        "0.0,0.95,100,1,10000000",
    ]
    for kind in ("csv", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
