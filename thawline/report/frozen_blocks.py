"""Draw a network's blocks: which were trained, which stayed frozen."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from thawline.training.trained_blocks import Block

_WIDTH, _ROW, _LEFT = 560, 22, 12
_TRAINED, _PARTLY, _FROZEN = "#e8710a", "#f5b97f", "#c3ccd6"


def write(path: Path, title: str, found: Sequence[Block]) -> None:
    """Write the blocks as an SVG file; equal input gives equal bytes.

    Without matplotlib, which takes a second to load.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height = _ROW * (len(found) + 2)
    rows = [_row(number, block) for number, block in enumerate(found)]
    text = "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        ]
    )
    path.write_text(text, encoding="utf-8")


def _row(number: int, block: Block) -> str:
    top = _ROW * (number + 1) + 10
    colour = _TRAINED if block.trained == block.parameters else _PARTLY
    colour = colour if block.trained else _FROZEN
    said = "trained" if block.trained else "frozen" if block.parameters else "nothing to train"
    if 0 < block.trained < block.parameters:
        said = f"{block.trained:,} trained"
    return (
        f'<rect x="{_LEFT}" y="{top}" width="14" height="14" fill="{colour}"/>'
        f'<text x="{_LEFT + 24}" y="{top + 11}">{escape(block.name)}</text>'
        f'<text x="360" y="{top + 11}" text-anchor="end">{block.parameters:,} parameters</text>'
        f'<text x="380" y="{top + 11}">{said}</text>'
    )
