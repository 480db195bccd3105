"""Walls: which package may import which, and numbers that must not creep up."""

import statistics

import pytest

from tests.repo import house
from thawline.dvc import code

LAYERS = (
    ("errors", "metrics", "rebalance"),
    ("runtime",),
    ("dataset", "params", "plots"),
    ("augment", "dvc", "models"),
    ("cost", "features", "ingest", "tracking"),
    ("evaluation", "monitoring", "prediction", "training"),
    ("advice", "compress", "registry"),
    ("pipeline", "project", "report"),
    ("cli", "stages", "studies"),
    ("flows",),
)
"""From the ground up; a room imports rooms of lower layers alone. See docs/map.md."""
MAX_ARROWS = 185
MAX_PIPELINE_LINES, OF_STAGES, MAX_LINES_MORE = 320, 9, 20
"""Lines of dvc.yaml with nine stages; each further one may have twenty."""


def test_every_room_has_its_layer() -> None:
    assert sorted(name for layer in LAYERS for name in layer) == sorted(house.edges())


@pytest.mark.parametrize("room", sorted(house.edges()))
def test_a_room_imports_lower_ones_alone(room: str) -> None:
    height = {name: k for k, layer in enumerate(LAYERS) for name in layer}
    wrong = {dep for dep in house.edges()[room] if height[dep] >= height[room]}
    assert wrong == set(), f"thawline/{room} imports from beside or above it"


def test_the_root_is_empty_but_for_errors() -> None:
    assert house.root_modules() == ["thawline/errors.py"]


def test_arrows_are_few() -> None:
    assert house.arrows(house.edges()) <= MAX_ARROWS
    assert house.depth(house.edges()) <= len(LAYERS)


def test_a_class_has_a_name_of_its_own() -> None:
    assert house.classes() == {}


def test_functions_are_short() -> None:
    assert statistics.median(house.function_lines()) <= 7


def test_the_graph_of_stages_can_be_read() -> None:
    further = len(code.running().stages) + 1 - OF_STAGES
    assert house.lines(["dvc.yaml"]) <= MAX_PIPELINE_LINES + MAX_LINES_MORE * further
