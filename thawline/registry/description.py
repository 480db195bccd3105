"""Write the model card into the registry: beside the model, and as a description."""

from pathlib import Path

from thawline.runtime.output_paths import REPORTS

CARD = REPORTS / "evaluate" / "model_card.md"
LIMIT = 5000
"""MLflow's for a description, characters."""
_REST = "\n\nThe rest is in the model's artifacts: `artifacts/model_card.md`."


def from_card(path: Path = CARD) -> str | None:
    """Convert the model card to the Markdown description of a version; None without a card.

    Without its machine-readable head, and cut after a section where it would be too long.
    """
    if not path.is_file():
        return None
    text = _body(path.read_text(encoding="utf-8"))
    if len(text) <= LIMIT:
        return text
    room = LIMIT - len(_REST)
    end = text.rfind("\n\n## ", 0, room)
    return text[: end if end > 0 else room].rstrip() + _REST


def _body(text: str) -> str:
    """Remove the YAML between two lines of dashes at the start."""
    _, separator, body = text.removeprefix("---\n").partition("\n---\n")
    return (body if separator else text).strip()
