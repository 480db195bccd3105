"""Explain where the images of a class with too few different ones went."""

from collections import Counter
from collections.abc import Iterator, Sequence

from thawline.ingest.collect import Collected
from thawline.ingest.decoding import blanks
from thawline.ingest.dedup.resolve import Resolved
from thawline.ingest.items import Reject
from thawline.ingest.labels.class_names import quoted
from thawline.runtime.escape import escape


class LeftOut:
    """Explanation of excluded images, computed only when a message asks for it."""

    def __init__(self, found: Collected, resolved: Resolved, classes: tuple[str, ...]) -> None:
        self._found = found
        self._resolved = resolved
        self._classes = classes

    def describe_class(self, label: int) -> str:
        """Count the excluded images of a class by reason."""
        counts = Counter(kind for kind, _ in self._images(label))
        return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())

    def examples(self, labels: Sequence[int]) -> str:
        """Name an example per reason for these classes, and classes that are copies."""
        first: dict[str, str] = {}
        for label in labels:
            for kind, example in self._images(label):
                first.setdefault(kind.split(" class ")[0], example)
        said = [f"First: {'; '.join(list(first.values())[:2])}"] if first else []
        return "".join(f". {sentence}" for sentence in [*said, *self._copies()])

    def _images(self, label: int) -> Iterator[tuple[str, str]]:
        """Yield reason and example of each image of the class that was excluded."""
        packed = self._found.packed
        for reject in self._found.rejects:
            if reject.label == label:
                yield self._rejected(reject)
        other_of = {c.row: c for c in reversed(self._resolved.conflicts)}
        labels = packed.source_labels
        for row, reason in self._resolved.left_out.items():
            if labels[row] != label:
                continue
            if (conflict := other_of.get(row)) and conflict.other_label != label:
                kind = f"also under class {self._quote(conflict.other_label)}"
            elif conflict:
                kind = "under another label as well"
            else:
                kind = "near copies of images in two splits"
            yield kind, f"{_quoted(packed.names[row])}: {escape(reason, 200)}"

    def _rejected(self, reject: Reject) -> tuple[str, str]:
        example = f"{_quoted(reject.name)}: {escape(reject.reason, 200)}"
        if reject.twin_row is None:
            return "unusable", example
        twin = self._found.packed[reject.twin_row]
        kind = "equal to another image"
        if twin.source_label != reject.label:
            kind = f"equal to images of class {self._quote(twin.source_label)}"
        blank = blanks.kind_of(twin.looks, twin.transparency)
        return f"{kind}: {blank}" if blank else kind, example

    def _copies(self) -> list[str]:
        """Describe classes whose pictures all occur under several other classes too."""
        partners: dict[int, Counter[int]] = {}
        for conflict in self._resolved.conflicts:
            if conflict.other_row is None:
                pair = (conflict.label, conflict.other_label)
                for one, other in (pair, pair[::-1]):
                    partners.setdefault(one, Counter())[other] += 1
        return [
            f"{self._quote(label)} holds copies of {quoted([self._classes[k] for k in others])}"
            for label, others in partners.items()
            if len(others) > 1 and all(len(partners[other]) == 1 for other in others)
        ]

    def _quote(self, label: int) -> str:
        return repr(escape(self._classes[label], 40))


def _quoted(name: str) -> str:
    return repr(escape(name, 80))
