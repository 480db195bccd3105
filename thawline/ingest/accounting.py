"""Account for every file of a source: taken, a copy, set aside, or passed over by a rule."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thawline.runtime.escape import escape

_MOST = 6
"""Reasons in a line for the terminal; the report has more."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of the files that ingest saw; the numbers add up to all of them.

    Attributes:
        images: different ones that were packed.
        copies: files whose picture another one has already.
        set_aside: number of files that cannot be used, by reason.
        passed_over: number of files by the rule that let them out.
        noun: what is counted, files or rows.
    """

    images: int
    copies: int
    set_aside: Mapping[str, int]
    passed_over: Mapping[str, int]
    noun: str = "files"

    @property
    def seen(self) -> int:
        """All files, hidden ones included."""
        unused = sum(self.set_aside.values()) + sum(self.passed_over.values())
        return self.images + self.copies + unused

    def sentence(self) -> str:
        """Give the sum; without what there is none of, where every one was taken."""
        aside, over = sum(self.set_aside.values()), sum(self.passed_over.values())
        copies = f" + {self.copies:,} copies" if self.copies else ""
        unused = f" + {aside:,} set aside + {over:,} passed over" if aside or over else ""
        return f"{self.seen:,} {self.noun}: {self.images:,} images{copies}{unused}"

    def lines(self) -> list[str]:
        """Say it in one line, and in one more each for what was set aside and passed over."""
        parts = {"set aside": self.set_aside, "passed over": self.passed_over}
        return [
            self.sentence(),
            *(f"{name}: {numbers(counts)}" for name, counts in parts.items() if counts),
        ]

    def metrics(self) -> dict[str, float]:
        """Count for tracking, by names that are the same for every set."""
        passed: dict[str, float] = {
            f"passed_over_{_key(rule)}": 0 for rule, count in self.passed_over.items() if count
        }
        for rule, count in self.passed_over.items():
            passed[f"passed_over_{_key(rule)}"] += count
        return {"files_seen": self.seen, **passed}

    def reasons(self) -> dict[str, dict[str, int]]:
        """Count by reason, for the metrics file."""
        parts = {"set_aside": self.set_aside, "passed_over": self.passed_over}
        return {
            name: {escape(reason): number for reason, number in _sorted(counts)}
            for name, counts in parts.items()
            if counts
        }


def reason_kind(reason: str) -> str:
    """Cut from a reason what differs from file to file."""
    reason = re.sub(r"^row \d+: ", "", reason)
    cut = re.match(r"(duplicate|conflict|near copy in two splits)\b", reason)
    return cut[1] if cut else re.sub(r"(?<!JPEG )\b\d+", "N", reason)


def by_kind(reasons: Sequence[str]) -> Counter[str]:
    """Count reasons without what differs from file to file."""
    return Counter(map(reason_kind, reasons))


def numbers(counts: Mapping[str, int]) -> str:
    """List reasons with their numbers, the commonest first, in one line."""
    listed = [f"{count:,} x {escape(reason, 80)}" for reason, count in _sorted(counts)]
    more = sum(count for _, count in _sorted(counts)[_MOST:])
    return "; ".join([*listed[:_MOST], *([f"{more:,} x other reasons"] if more else [])])


def _sorted(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _key(rule: str) -> str:
    """The rule in small letters, without a suffix after a comma."""
    return re.sub(r"[^a-z]+", "_", rule.split(",")[0].lower()).strip("_")
