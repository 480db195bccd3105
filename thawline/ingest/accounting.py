"""Account for every file of a source: used, a copy, set aside, or passed over by a rule."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thawline.runtime.escape import escape

_MOST = 6
"""Reasons in a line for the terminal; the report has more."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Numbers of the files that ingest saw, by what became of them; they add up to all files.

    Attributes:
        images: number of different images that were packed.
        copies: number of files whose picture another file has already.
        set_aside: number of files that cannot be used, by reason.
        passed_over: number of files left out by a rule, by rule.
        noun: what is counted, "files" or "rows".
    """

    images: int
    copies: int
    set_aside: Mapping[str, int]
    passed_over: Mapping[str, int]
    noun: str = "files"

    @property
    def seen(self) -> int:
        """Number of all files, hidden ones included."""
        unused = sum(self.set_aside.values()) + sum(self.passed_over.values())
        return self.images + self.copies + unused

    def sentence(self) -> str:
        """Format the sum in one line; terms that are zero are left out."""
        aside, over = sum(self.set_aside.values()), sum(self.passed_over.values())
        copies = f" + {self.copies:,} copies" if self.copies else ""
        unused = f" + {aside:,} set aside + {over:,} passed over" if aside or over else ""
        return f"{self.seen:,} {self.noun}: {self.images:,} images{copies}{unused}"

    def lines(self) -> list[str]:
        """Format the sum, then one line each for what was set aside and passed over."""
        parts = {"set aside": self.set_aside, "passed over": self.passed_over}
        return [
            self.sentence(),
            *(f"{name}: {numbers(counts)}" for name, counts in parts.items() if counts),
        ]

    def metrics(self) -> dict[str, float]:
        """Return counts for tracking, under names that are the same for every data set."""
        passed: dict[str, float] = {
            f"passed_over_{_key(rule)}": 0 for rule, count in self.passed_over.items() if count
        }
        for rule, count in self.passed_over.items():
            passed[f"passed_over_{_key(rule)}"] += count
        return {"files_seen": self.seen, **passed}

    def reasons(self) -> dict[str, dict[str, int]]:
        """Return the counts by reason, for the metrics file."""
        parts = {"set_aside": self.set_aside, "passed_over": self.passed_over}
        return {
            name: {escape(reason): number for reason, number in _sorted(counts)}
            for name, counts in parts.items()
            if counts
        }


def reason_kind(reason: str) -> str:
    """Remove from a reason what differs from file to file, such as numbers."""
    reason = re.sub(r"^row \d+: ", "", reason)
    cut = re.match(r"(duplicate|conflict|near copy in two splits)\b", reason)
    return cut[1] if cut else re.sub(r"(?<!JPEG )\b\d+", "N", reason)


def by_kind(reasons: Sequence[str]) -> Counter[str]:
    """Count reasons by kind, see `reason_kind`."""
    return Counter(map(reason_kind, reasons))


def numbers(counts: Mapping[str, int]) -> str:
    """Format reasons with their counts in one line, the commonest first."""
    listed = [f"{count:,} x {escape(reason, 80)}" for reason, count in _sorted(counts)]
    more = sum(count for _, count in _sorted(counts)[_MOST:])
    return "; ".join([*listed[:_MOST], *([f"{more:,} x other reasons"] if more else [])])


def _sorted(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _key(rule: str) -> str:
    """Convert a rule to a metric name: lower case, without what follows a comma."""
    return re.sub(r"[^a-z]+", "_", rule.split(",")[0].lower()).strip("_")
