"""Keep addresses that may hold a secret in the environment and out of Prefect.

A flow's parameters stay in Prefect's database for good and are shown on its pages. Whoever has the
address of a webhook can write there; that of a database may hold a password.
"""

import os

NOTIFY = "THAWLINE_NOTIFY"
"""Whom to tell how a flow ended: an http(s) address, or the name of a saved block of Prefect's."""
STORAGE = "THAWLINE_STUDY_STORAGE"
"""Database URL of Optuna's searches."""


def keep(variable: str, value: str | None) -> None:
    """Set a variable for this process and its children; None leaves it as it is."""
    if value is not None:
        os.environ[variable] = value


def kept(variable: str) -> str | None:
    """Return a variable's value; None where it is not set, or empty."""
    return os.environ.get(variable) or None
