"""Whatever stands in params.yaml, it loads or is refused in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.params.conftest import Write, changed, message
from thawline.errors import UserError
from thawline.params import params_file

BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("- a\n- b\n", "list"),
        ("hello", "str"),
        (BOMB, "aliases"),
        ("seed: !!python/object:os.system 'true'\n", "python/object"),
        ("seed: !!python/object/apply:os.system ['true']\n", "python/object"),
        ("seed: !!bool maybe\n", "not valid YAML"),
        ("seed: 2026-99-99\n", "not valid YAML"),
        ("ingest:\n\tsource: digits\n", "line 2"),
        ("seed: 1\nseed: 2\n", "duplicate key"),
        ("seed: [1, 2\n", "not valid YAML"),
        ("seed: 1\n---\nseed: 2\n", "not valid YAML"),
        ("seed: " + "[" * 1100, "nested too deeply"),
        ("- " * 3000, "nested too deeply"),
        ("seed: 0x" + "f" * 9000 + "\n", ""),
        ("seed: " + "9" * 9000 + "\n", ""),
        ("# " + "x" * 200_000, "bytes"),
        (bytes(range(256)) * 4, "UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "UTF-8"),
        (b"seed: \x00\n", "not valid YAML"),
        ('"a\\nb\\e[31m": 1\n', "a\\nb\\x1b[31m"),
    ],
)
def test_a_file_that_is_no_params_file(write: Write, content: str | bytes, expected: str) -> None:
    assert expected in message(write(content))


def test_keys_are_shown_on_one_line(real: str, write: Write) -> None:
    assert "ingest.options.a\\nb" in message(
        write(changed(real, "ingest.options", {"a\nb\x1b[31m": 1}))
    )


def test_no_file_and_a_folder_in_its_place(write: Write, tmp_path: Path) -> None:
    assert "No such file" in message(params_file.FILE)
    params_file.FILE.mkdir()
    assert "directory" in message(params_file.FILE)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.one_of(
        st.binary(max_size=200), st.text(alphabet=":-{}[]!&*|>'\"#%@,? \n\tab01.~", max_size=80)
    )
)
def test_any_text_loads_or_is_refused(write: Write, content: str | bytes) -> None:
    message(write(content))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_real_file_loads_or_is_refused(
    real: str, write: Write, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(real)))
    length = data.draw(st.integers(0, 30))
    inserted = data.draw(st.text(max_size=10))
    path = write(
        (real[:start] + inserted + real[start + length :]).encode("utf-8", "surrogatepass")
    )
    text = ""
    try:
        params_file.load(path)
    except UserError as error:
        text = str(error)
    assert not text or text.isprintable()


@pytest.mark.parametrize("content", ["seed: 1\nseed: 2\n", BOMB, b"\xff\xfe\x00"])
def test_a_stage_ends_with_the_line_and_exit_code_2(
    write: Write, repository: Path, tmp_path: Path, content: str | bytes
) -> None:
    expected = message(write(content))
    done = subprocess.run(
        [sys.executable, "-m", "stages.ingest"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository), "THAWLINE_TRACKING": "off"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"ingest: {expected}"]
    assert done.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} - {".thawline"} == {"params.yaml"}
