"""Create Prefect artifacts for a flow: progress, the result table, a picture, links.

None of them is worth a training: where Prefect refuses one, the flow goes on without.
"""

import base64
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException

from thawline.errors import UserError
from thawline.evaluation.results import DIRECTORY, Results
from thawline.flows import server_health
from thawline.report.summary import COLUMNS, cells
from thawline.runtime.escape import markdown
from thawline.tracking import address

_PAGES = "http://127.0.0.1:5000"
"""Address at which `make ui` and `make up` show a store that has no server of its own."""
_ADDRESS = re.compile(r"(?i)(?=&#58;//|&#64;)|(?<=www)(?=&#46;)")
"""Places in a text of `labels.markdown` that could be taken for an address."""
_CONFUSION = Path("figures/confusion.png")

P = ParamSpec("P")


def _dispensable(show: Callable[P, None]) -> Callable[P, None]:
    @wraps(show)
    def tried(*args: P.args, **kwargs: P.kwargs) -> None:
        if server_health.gone():  # else each call is tried for a minute, while a stage is at work
            return
        try:
            show(*args, **kwargs)
        except (httpx.HTTPError, PrefectException) as error:
            get_run_logger().warning("not shown in Prefect: %s: %s", type(error).__name__, error)

    return tried


class Progress:
    """Progress bar over all stages; a training stage moves it with every epoch."""

    def __init__(self, stages: Sequence[str]) -> None:
        self._all = max(1, len(stages))
        self._done = 0
        self._shown = 0.0
        self._id: UUID | None = None

    def stage(self, share: float) -> None:
        """Update the share of the current stage that is done, in [0, 1].

        1 moves on to the next stage.
        """
        percent_done = min(100.0, 100 * (self._done + share) / self._all)
        self._done += share >= 1
        if self._id is None or percent_done - self._shown >= 1:
            self._show(percent_done)

    @_dispensable
    def _show(self, percent_done: float) -> None:
        if self._id is None:
            self._id = _created(
                create_progress_artifact(0.0, key="pipeline-progress", description="Stages done")
            )
        if percent_done - self._shown >= 1:
            update_progress_artifact(self._id, progress=percent_done)
            self._shown = percent_done


@_dispensable
def link(run_id: str, name: str) -> None:
    """Create a link to a run on MLflow's pages.

    Args:
        run_id: id of the run.
        name: name of the stage or flow that the run belongs to.
    """
    uri = address.uri()
    pages = address.shown(uri) if address.is_server(uri) else _PAGES
    create_link_artifact(f"{pages}/#/runs/{run_id}", link_text=f"{name} in MLflow")


@_dispensable
def results(folder: Path) -> None:
    """Show the table of all checkpoints and the confusion matrix, where there are any."""
    try:
        found = Results.read(folder / DIRECTORY)
    except UserError:
        return
    create_markdown_artifact(
        _table(found),
        key="results",
        description="The network after each stage, on test images",
    )
    picture = folder / DIRECTORY / _CONFUSION
    if picture.is_file():
        data = base64.b64encode(picture.read_bytes()).decode()
        create_image_artifact(
            f"data:image/png;base64,{data}",
            key="confusion-matrix",
            description="Of the compressed network, on test images",
        )


@_dispensable
def verdict(lines: Sequence[str]) -> None:
    """Show the output of `thawline publish`: a headline, then reasons."""
    head, *rest = (markdown(line.strip()) for line in lines)
    text = "\n".join([f"**{head}**", "", *(f"- {line}" for line in rest)])
    create_markdown_artifact(
        _backslashed(text),
        key="gate",
        description="Whether the new version replaces the champion, and why",
    )


@_dispensable
def table(name: str, text: str) -> None:
    """Show the report of a study, Markdown text."""
    key = re.sub("[^a-z0-9]+", "-", f"study-{name}".lower())
    create_markdown_artifact(_backslashed(text), key=key, description=f"The study {name}")


def _table(found: Results) -> str:
    rows = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1))]
    rows += [cells(found, name) for name in found.metrics]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _backslashed(text: str) -> str:
    """Replace character references by backslash escapes.

    Prefect's first pages (3.8) show references as they stand, and know these escapes. Its second
    ones look for addresses after that: an invisible word joiner keeps names that look like one from
    being links.
    """
    text = _ADDRESS.sub("\N{WORD JOINER}", text)
    return re.sub(r"&#(\d+);", lambda found: f"\\{chr(int(found[1]))}", text)


def _created(found: object) -> UUID:
    assert isinstance(found, UUID)
    return found
