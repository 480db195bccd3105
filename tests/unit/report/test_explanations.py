"""Grad-CAM, confused pairs, the map and likely label errors."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.unit.plots.drawn import predictions
from thawline.dataset.manifest import Manifest
from thawline.evaluation import confusions, embedding_map, gradcam, label_issues
from thawline.ingest.labels import label_fixes
from thawline.models.network import Description
from thawline.report import gallery

PLAIN = Description(image_size_px=16, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def brightness_network() -> nn.Sequential:
    """Class 1 is what is bright."""
    trunk = nn.Conv2d(3, 1, 3, padding=1, stride=2, bias=False)
    nn.init.constant_(trunk.weight, 1 / 27)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2, bias=False))
    linear = head[2]
    assert isinstance(linear, nn.Linear)
    linear.weight.data[:] = torch.tensor([[-1.0], [1.0]])
    return nn.Sequential(trunk, head).eval().requires_grad_(False)


def test_grad_cam_finds_what_spoke_for_the_class() -> None:
    images = np.zeros((2, 16, 16, 3), np.uint8)
    images[0, 2:6, 2:6] = 255
    images[1, 10:14, 10:14] = 255
    heat = gradcam.grad_cam(brightness_network(), images, np.array([1, 1]), PLAIN)
    assert heat.shape == (2, 16, 16)
    assert heat.max(axis=(1, 2)).tolist() == [1, 1]
    assert heat[0, :8, :8].sum() > 0.8 * heat[0].sum()
    assert heat[1, 8:, 8:].sum() > 0.8 * heat[1].sum()


def test_grad_cam_is_empty_where_nothing_spoke() -> None:
    white = np.full((1, 16, 16, 3), 255, np.uint8)
    assert gradcam.grad_cam(brightness_network(), white, np.array([0]), PLAIN).max() == 0
    assert len(gradcam.grad_cam(brightness_network(), white[:0], np.array([], int), PLAIN)) == 0


def test_the_map_is_taken_where_it_still_has_places() -> None:
    blocks = [nn.Conv2d(3, 3, 1, stride=2) for _ in range(4)]
    network = nn.Sequential(*blocks, nn.Flatten())
    assert gradcam.layer(network, torch.zeros(1, 3, 16, 16)) is blocks[1]
    assert gradcam.layer(network, torch.zeros(1, 3, 2, 2)) is blocks[0]


def test_an_overlay_is_warm_where_the_network_looked() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    shown = gradcam.overlay(np.full((4, 4, 3), 100, np.uint8), heat)
    assert shown[0, 0, 0] > shown[0, 0, 2] + 50
    assert len(set(shown[3, 3].tolist())) == 1


def test_the_most_confused_pair_comes_first_with_its_surest_example() -> None:
    probabilities = np.array([[0.2, 0.8], [0.1, 0.9], [0.6, 0.4], [0.7, 0.3]], np.float32)
    first, second = confusions.most_confused(probabilities, np.array([0, 0, 1, 0]))
    assert (first.actual, first.predicted, first.count, first.support) == (0, 1, 2, 3)
    assert first.examples.tolist() == [1, 0]
    assert (second.actual, second.count) == (1, 1)
    assert confusions.most_confused(probabilities[:2], np.array([1, 1])) == []
    assert confusions.draw([], [], ("a", "b")).get_suptitle() == "Most confused pairs"


def test_hits_that_were_nearly_missed_come_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.55, 0.45], [0.4, 0.6]], np.float32)
    assert gallery.unsure_hits(probabilities, np.array([0, 0, 0])).tolist() == [1, 0]


def test_the_plane_keeps_clusters_apart_and_is_not_mirrored() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((60, 8)).astype(np.float32)
    features[:30, :4] += 3
    features[30:, 4:] += 3
    features[0] *= 1000
    places, shares = embedding_map.plane(features)
    assert abs(places[:30, 0].mean() - places[30:, 0].mean()) > 0.8
    assert 0.3 < shares[0] < 1
    again, _ = embedding_map.plane(features[::-1])
    np.testing.assert_allclose(again[::-1], places, atol=1e-8)


def test_equal_images_have_a_plane_too() -> None:
    places, _ = embedding_map.plane(np.ones((5, 3), np.float32))
    assert np.isfinite(places).all()
    assert len(embedding_map.spread(places)) == 1


def manifest(labels: np.ndarray, classes: tuple[str, ...]) -> Manifest:
    count = len(labels)
    return Manifest(
        classes=classes,
        labels=labels,
        splits=np.array(["test"] * count),
        sha256=("",) * count,
        names=tuple(f"folder/{i}, 'x'.png" for i in range(count)),
        groups=(None,) * count,
        widths=np.ones(count, np.int64),
        heights=np.ones(count, np.int64),
    )


def test_wrong_labels_are_found_and_ingest_takes_the_file(tmp_path: Path) -> None:
    probabilities, truth = predictions(0, 200, 4, skill=6)
    labels = truth.copy()
    labels[:5] = (truth[:5] + 1) % 3
    found = label_issues.find(np.arange(200), labels, probabilities)
    rows = {issue.row for issue in found}
    assert rows >= {i for i in range(5) if labels[i] != truth[i]}
    assert len(rows) < 10
    data = manifest(labels, ("a", "b;", "c\u202e", "d"))
    label_issues.write(tmp_path / "fixes.csv", found, data)
    fixes = label_fixes.read(tmp_path / "fixes.csv", data.classes)
    assert len(fixes.fixes) == len(found)
    for issue in found:
        assert fixes.label(data.names[issue.row], issue.label) == issue.proposed


def test_a_class_without_a_row_and_one_class_alone_are_no_mistake() -> None:
    probabilities, labels = predictions(1, 60, 3, skill=6)
    probabilities, labels = probabilities[labels != 1], labels[labels != 1]
    assert len(label_issues.find(np.arange(len(labels)), labels, probabilities)) <= 2
    zeros = np.zeros(len(labels), np.int64)
    assert label_issues.find(np.arange(len(labels)), zeros, probabilities) == []
