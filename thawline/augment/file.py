"""Read steps from a YAML file: a policy of one's own without a line of Python.

The file, `augment.file` in params.yaml, is a list of steps as docs/policy.yaml shows. Every step is
checked by name, by argument and by running it once, so that a mistake ends the stage and not the
training.
"""

import difflib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from thawline.augment._transforms import ALLOWED, argument_names, build
from thawline.errors import UserError
from thawline.runtime import escape, safe_yaml
from thawline.runtime.safe_yaml import format_value

_MAX_STEPS = 64
_MAX_DRAWS = 64
_MAX_RUNS = 256
"""Most steps that one image may go through: groups that hold groups multiply theirs."""
_MAX_NUMBER = 10_000
"""Largest number in an argument: cost grows with kernels, holes and drops."""

Step = dict[str, Any]


def policy(image_size_px: int, *, file: Path) -> list[Step]:
    """Read the steps of the file; a crop's `size` is filled in where it is left out.

    Args:
        image_size_px: side of the images; no step may change it.
        file: at most 100 kB, safe YAML without aliases.

    Raises:
        UserError: names the file, the step, the key, its value and what is allowed.
    """
    steps = safe_yaml.load(file)
    return [_Reader(image_size_px).read(s, where) for s, where in _numbered(steps, str(file))]


class _Reader:
    def __init__(self, image_size_px: int) -> None:
        self._size = image_size_px
        ramp = np.linspace(0, 255, image_size_px**2 * 3).astype(np.uint8)
        self._image = ramp.reshape(image_size_px, image_size_px, 3)

    def read(self, raw: Any, where: str) -> Step:
        """Check a step and its inner ones."""
        step = _named(raw, where)
        where = f"{where} ({step['name']})"
        _check_arguments(step, where)
        if "steps" in argument_names(step["name"]):
            inner = _numbered(step.get("steps"), f"{where}, steps")
            step["steps"] = [self.read(*each) for each in inner]
            if (number := _runs(step)) > _MAX_RUNS:
                raise _refused(where, "steps", f"{number:,} at a time", f"at most {_MAX_RUNS}")
        elif "size" in argument_names(step["name"]):
            side = [self._size, self._size]
            if step.setdefault("size", side) != side:
                raise _refused(where, "size", step["size"], f"{side}, or leave it out")
        self._check_values(step, where)
        return step

    def _check_values(self, step: Step, where: str) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # how albumentations says "ignored"
                build([step])
                transform = build([{**step, "p": 1.0}])
        except (ValueError, TypeError, UserWarning) as error:
            raise _explained(error, where, step) from None
        try:
            transform.set_random_seed(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                view = transform(image=self._image)["image"]
        # albumentations and OpenCV check some arguments only now, with errors of any kind.
        except Exception as error:
            raise UserError(f"{where}: cannot run with these values: {_line(error)}") from None
        if view.shape != self._image.shape or view.dtype != np.uint8:
            made, wanted = "x".join(map(str, view.shape)), f"{self._size}x{self._size}x3"
            raise UserError(f"{where}: makes images of {made}; allowed: {wanted}, 8 bits")


def _runs(step: Step) -> int:
    """Count the steps that an image goes through at most."""
    inner = [_runs(each) for each in step.get("steps", ())]
    if not inner:
        return 1
    if step["name"] == "OneOf":
        return max(inner)
    draws = int(step.get("n", 1))
    return draws * max(inner) if step.get("replace") else sum(sorted(inner)[-draws:])


def _numbered(steps: Any, where: str) -> list[tuple[Any, str]]:
    if not isinstance(steps, list) or not steps:
        found = "nothing" if not steps else type(steps).__name__
        raise UserError(f"{where}: {found} where a list of steps (`- name: ...`) is expected")
    if len(steps) > _MAX_STEPS:
        raise UserError(f"{where}: {len(steps)} steps; allowed: at most {_MAX_STEPS}")
    return [(step, f"{where}: step {number}") for number, step in enumerate(steps, start=1)]


def _named(raw: Any, where: str) -> Step:
    if not isinstance(raw, dict) or "name" not in raw:
        raise UserError(
            f"{where}: {format_value(raw)} is no step; allowed: name: a transform, its arguments"
        )
    if not isinstance(raw["name"], str) or raw["name"] not in ALLOWED:
        close = _close(format_value(raw["name"]).strip("'"), sorted(ALLOWED))
        allowed = ", ".join(sorted(ALLOWED))
        raise UserError(
            f"{where}: name: {format_value(raw['name'])} is unknown{close}; allowed: {allowed}"
        )
    return dict(raw)


def _check_arguments(step: Step, where: str) -> None:
    allowed = argument_names(step["name"])
    for key, value in step.items():
        if key not in ("name", *allowed):
            close = _close(format_value(key).strip("'"), allowed)
            listed = ", ".join(allowed)
            raise UserError(
                f"{where}: {format_value(key)}: no such argument{close}; allowed: {listed}"
            )
        if key != "steps" and not _plain(value):
            raise _refused(
                where,
                key,
                value,
                f"numbers up to {_MAX_NUMBER}, texts, true, false, lists and mappings",
            )
    p, draws = step.get("p", 0.5), step.get("n", 1)
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise _refused(where, "p", p, "a probability from 0 to 1")
    if isinstance(draws, bool) or not isinstance(draws, int) or not 1 <= draws <= _MAX_DRAWS:
        raise _refused(where, "n", draws, f"a number of steps from 1 to {_MAX_DRAWS}")


def _plain(value: Any) -> bool:
    """Tell whether JSON can hold a value: no dates, binary data, infinity or huge numbers."""
    if isinstance(value, list):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(inner) for key, inner in value.items())
    if isinstance(value, str):
        try:
            value = float(value)  # as albumentations takes 'Infinity'
        except ValueError:
            return True
    return value is None or (isinstance(value, int | float) and abs(value) <= _MAX_NUMBER)


def _explained(error: Exception, where: str, step: Step) -> UserError:
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return UserError(f"{where}: {_line(error)}")
    first = cause.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else "arguments"
    reason = first["msg"].removeprefix("Value error, ")
    return _refused(where, key, step.get(key, "nothing"), reason[0].lower() + reason[1:])


def _refused(where: str, key: Any, value: Any, allowed: str) -> UserError:
    return UserError(f"{where}: {key}: {format_value(value)} is not allowed: {allowed}")


def _close(value: str, allowed: Any) -> str:
    match = difflib.get_close_matches(value, list(allowed), n=1)
    return f", did you mean {match[0]!r}?" if match else ""


def _line(error: Exception) -> str:
    return escape.escape(" ".join(str(error).split()), 200) or type(error).__name__
