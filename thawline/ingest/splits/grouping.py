"""Read groups (patients, cameras) from the names of the images."""

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from thawline.errors import UserError
from thawline.runtime.escape import escape


class Grouping:
    """A regular expression with one group that finds a group in an image's name.

    Matched by RE2, whose time grows with the length of the name only: Python's own engine can take
    years for an unlucky pattern and a stranger's file name.
    """

    def __init__(self, pattern: str) -> None:
        """Compile the pattern.

        Raises:
            UserError: not a regular expression that RE2 knows, or not exactly one group.
        """
        self._pattern = pattern
        self._whole = rf"^(?s:.*?)(?:{pattern})(?s:.*)$"
        try:
            number = re.compile(pattern).groups
            pc.match_substring_regex(pa.array([""]), pattern)
            pc.match_substring_regex(pa.array([""]), self._whole)
        except (re.error, RecursionError, OverflowError, pa.ArrowInvalid) as error:
            raise self._refusal(f"no regular expression: {escape(str(error), 100)}") from None
        if number != 1:
            raise self._refusal(f"has {number} groups in parentheses; exactly 1 is needed")

    def groups(self, names: Sequence[str]) -> list[str | None]:
        """Find the group of each name; None where the pattern does not match, or matches nothing.

        Raises:
            UserError: no name matches.
        """
        array = pa.array(
            [n.encode("utf-8", "backslashreplace").decode() for n in names], pa.string()
        )
        matches = pc.match_substring_regex(array, self._whole).to_pylist()
        taken = pc.replace_substring_regex(array, self._whole, r"\1").to_pylist()
        found = [
            (group or None) if match else None for match, group in zip(matches, taken, strict=True)
        ]
        if names and not any(found):
            raise self._refusal(f"matches no image, e.g. not {escape(names[0], 80)!r}")
        return found

    def _refusal(self, problem: str) -> UserError:
        return UserError(
            f"ingest.group_by: {escape(self._pattern, 80)!r}: {problem}. It is searched for in the "
            r"path of an image below the source, e.g. (patient\d+)"
        )
