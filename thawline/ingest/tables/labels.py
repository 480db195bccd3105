"""Find the classes of a table, whose labels are text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thawline.errors import UserError
from thawline.ingest.labels.class_names import canonical
from thawline.ingest.labels.labels import checked, from_numbers, ordered, whole_number
from thawline.runtime.escape import escape


@dataclass(slots=True)
class SeenLabel:
    """A label that occurs."""

    where: str
    """File and row in which a label comes first."""
    problem: str | None = None
    """Reason why it cannot be a label, or None."""
    num_rows: int = 1


@dataclass(frozen=True, kw_only=True)
class Named:
    """Classes of a table, and the class of each of its labels."""

    classes: tuple[str, ...]
    label_of: Mapping[str, int]
    absent: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def find_classes(labels: Mapping[str, SeenLabel], classes: Sequence[str] | None) -> Named:
    """Find the classes; a class of the option without a row is no class.

    Where all labels are whole numbers and none is a name of the option, the option names the
    numbers, as it does in npz and idx.

    Raises:
        UserError: a label that the option does not have, with its row; see also `checked`.
    """
    known = checked(classes) if classes is not None else None
    names = {label: canonical(label) for label in labels}
    used = set(names.values())
    unknown = [label for label in labels if known is not None and names[label] not in known]
    numbers = {label: whole_number(label) for label in labels}
    if unknown and len(unknown) == len(labels) and None not in numbers.values():
        return _by_number({label: int(k or 0) for label, k in numbers.items()}, known)
    if unknown:
        first = labels[unknown[0]]
        raise UserError(
            f"ingest.path: {first.where}: label {escape(unknown[0], 60)!r} is not one of "
            f"ingest.options.classes{like_this(sum(labels[k].num_rows for k in unknown))}"
        )
    classes = ordered(used) if known is None else tuple(name for name in known if name in used)
    position = {name: index for index, name in enumerate(classes)}
    return Named(
        classes=classes,
        label_of={label: position[name] for label, name in names.items()},
        absent=tuple(name for name in known or () if name not in used),
    )


def _by_number(numbers: Mapping[str, int], known: Sequence[str] | None) -> Named:
    """Name labels that are numbers by the option, as npz and idx do."""
    found = from_numbers(known, numbers.values())
    first = min(found.position)
    remark = f"labels are numbers, named by ingest.options.classes: {first} is {found.names[0]!r}"
    return Named(
        classes=found.names,
        label_of={label: found.position[number] for label, number in numbers.items()},
        absent=found.absent,
        remarks=(remark, *found.remarks),
    )


def like_this(number: int) -> str:
    """Format the number of rows that a message stands for; empty for one."""
    return f" ({number} rows like this)" if number > 1 else ""
