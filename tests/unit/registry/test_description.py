"""The model card as the description of a registered version, which MLflow limits."""

from pathlib import Path

import pytest

from thawline.registry import description


@pytest.mark.parametrize("size", [10, 900, 30_000])
def test_a_card_fits_and_says_where_the_rest_is(tmp_path: Path, size: int) -> None:
    sections = [f"## Section {k}\n\n{'word ' * (size // 5)}" for k in range(10)]
    (tmp_path / "card.md").write_text("---\ntags: x\n---\n" + "\n\n".join(sections))
    text = description.from_card(tmp_path / "card.md") or ""
    assert len(text) <= description.LIMIT
    assert text.startswith("## Section 0")
    assert text.endswith("`artifacts/model_card.md`.") == (10 * size > description.LIMIT)


def test_without_a_card_there_is_none(tmp_path: Path) -> None:
    assert description.from_card(tmp_path / "card.md") is None
