import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tests.unit.compress.test_export import MEAN, SIZE, STD, Decides, digits, expected, network
from thawline.compress import pt2
from thawline.compress.export import compare
from thawline.errors import UserError

FOLDER = Path(__file__).resolve().parents[3]


def write(path: Path) -> Path:
    pt2.export(network(), path, image_size_px=SIZE, mean=MEAN, std=STD)
    return path


@pytest.mark.slow
def test_the_file_says_what_the_network_says_and_names_no_place(tmp_path: Path) -> None:
    file = write(tmp_path / pt2.FILE)
    found = pt2.predict(file, digits())
    agreed = compare(pt2.FILE, found, expected(network(), digits()), max_difference=1e-5)
    assert agreed.num_images == 70
    np.testing.assert_allclose(pt2.predict(file, digits()[:1]), found[:1], atol=1e-5)
    content = file.read_bytes()
    assert b".py" not in content
    assert str(FOLDER).encode() not in content


@pytest.mark.slow
def test_equal_networks_give_equal_bytes_in_two_processes(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / pt2.FILE
    other.parent.mkdir()
    code = (
        "from pathlib import Path; from tests.unit.compress import test_pt2 as t\n"
        f"t.write(Path({str(other)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=FOLDER)
    assert write(tmp_path / pt2.FILE).read_bytes() == other.read_bytes()


def test_a_network_that_cannot_be_traced_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be exported") as refused:
        pt2.export(
            nn.Sequential(Decides()), tmp_path / "m.pt2", image_size_px=SIZE, mean=MEAN, std=STD
        )
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "m.pt2").exists()
