"""What sources of tables remark, in tests of tables that are given alone."""

from thawline.ingest.items import Source

_ALONE = "DVC does not see the images that the table names"


def told(source: Source) -> list[str]:
    """Remarks but the one on every table that is given alone, which must be there."""
    others = [line for line in source.remarks if not line.startswith(_ALONE)]
    assert len(others) == len(source.remarks) - 1
    return others
