"""What the plot of classes is drawn from."""

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.ingest import ingest_summary


def test_names_of_classes_have_no_control_characters() -> None:
    """They come from folders and archives of strangers, and the file is looked at in a terminal."""
    manifest = Manifest(
        classes=("a\x1b[2J", "b\r\nc", "d\u202ee", "ü"),
        labels=np.arange(4),
        splits=np.array(["train"] * 4),
        sha256=tuple(f"{index:064x}" for index in range(4)),
        names=tuple("abcd"),
        groups=(None,) * 4,
        widths=np.ones(4, int),
        heights=np.ones(4, int),
    )
    names = {name for name, _, _ in ingest_summary.distribution(manifest)}
    assert len(names) == 4
    assert "ü" in names
    assert all(name.isprintable() for name in names)
