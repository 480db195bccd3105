"""Full disks, folders that may not be written, outputs damaged by hand: one message each."""

import csv
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from thawline.augment._minority import Extras
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.errors import UserError
from thawline.runtime import disk_errors
from thawline.runtime.output_paths import cell, intact, staged, uncell, write_csv
from thawline.training.freeze_decision import FreezeDecision

FULL = Path("/dev/full")
"""Linux's device on which there is never room."""


def _text() -> None:
    with FULL.open("w") as file:
        file.write("a")


def _array() -> None:
    with FULL.open("wb") as file:
        np.save(file, np.zeros(100_000))


@pytest.mark.parametrize("write", [_text, _array])
def test_a_full_disk_is_one_message(write: Callable[[], None]) -> None:
    with (
        pytest.raises(UserError, match="No space left on device; make room"),
        disk_errors.translate_errors(),
    ):
        write()


def test_the_file_is_named_and_other_errors_pass() -> None:
    with (
        pytest.raises(UserError, match="a/b: Read-only file system; mount it"),
        disk_errors.translate_errors(),
    ):
        raise OSError(errno.EROFS, "Read-only file system", "a/b")
    with pytest.raises(ZeroDivisionError), disk_errors.translate_errors():
        raise ZeroDivisionError
    with pytest.raises(UserError, match="as it was"), disk_errors.translate_errors():
        raise UserError("as it was: Permission denied")


_LIMITED = """
import resource, sys
from thawline.runtime import disk_errors as disk
from thawline.errors import UserError
import numpy as np
from safetensors.numpy import save_file
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with disk.translate_errors():
        save_file({"a": np.zeros(9999)}, "weights")
except UserError as error:
    sys.exit(f"said: {error}")
"""


def test_what_safetensors_says_of_it_is_known_too(tmp_path: Path, repository: Path) -> None:
    save_file({"a": np.zeros(9)}, tmp_path / "fits")
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED], cwd=tmp_path, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(repository)},
    )  # fmt: skip
    assert "said: File too large; make room" in done.stderr


def test_half_a_folder_never_stands_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    target = tmp_path / "out"

    def write() -> None:
        with staged(target) as folder:
            (folder / "a").write_text("a")
            _text()

    with pytest.raises(OSError, match="No space"):
        write()
    assert not target.exists()
    assert list((tmp_path / ".thawline" / "staging").iterdir()) == []


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "manifest": ("manifest.parquet", Manifest.read),
    "rows": ("rows.parquet", lambda folder: Rows.read(folder / "rows.parquet")),
    "extras": ("sources.parquet", Extras.read),
    "decision": ("decision.json", FreezeDecision.read),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"{}", b"[]", b"PAR1" + bytes(99)])
def test_an_output_damaged_by_hand_is_one_message(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    file, read = READERS[name]
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(UserError, match=r"`dvc (checkout|repro)") as caught:
        read(tmp_path)
    assert str(caught.value).isprintable()


def test_a_mistake_found_while_reading_keeps_its_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^mine$"), intact(tmp_path):
        raise UserError("mine")


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-1+2", "\t=1", "-x"])
def test_a_formula_in_a_table_is_text_and_comes_back(tmp_path: Path, text: str) -> None:
    write_csv(tmp_path / "a.csv", ("name",), [(text,)])
    with (tmp_path / "a.csv").open(newline="") as file:
        (read,) = list(csv.reader(file))[1]
    assert read == f"'{text}"
    assert uncell(read) == text


@pytest.mark.parametrize("value", ["-1", "-0.5", "+3e-4", "a=b", "", 3, -0.5, "'quoted'"])
def test_numbers_and_other_names_stay(value: object) -> None:
    assert cell(value) == value
    assert uncell(str(value)) == str(value)
