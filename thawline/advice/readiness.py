"""What can be said before PyTorch is loaded, which takes seconds."""

from thawline.errors import UserError
from thawline.files import INGEST, MANIFEST


def require_data_set() -> None:
    """Raises:
    UserError: ingest has not run.
    """
    if not (INGEST / MANIFEST).exists():
        raise UserError(f"{INGEST}: holds no data set yet; run `dvc repro ingest`")
