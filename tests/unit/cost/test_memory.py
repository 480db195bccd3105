import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from torch import nn

from thawline.compress.export import export
from thawline.cost.memory import peak_memory, resident_peak_bytes, size_mb
from thawline.errors import ChildDiedError

HALF = (0.5, 0.5, 0.5)


def exported(folder: Path, num_hidden: int) -> Path:
    file = folder / f"{num_hidden}.onnx"
    layers = nn.Linear(3 * 16 * 16, num_hidden), nn.ReLU(), nn.Linear(num_hidden, 3)
    export(nn.Sequential(nn.Flatten(), *layers), file, image_size_px=16, mean=HALF, std=HALF)
    return file


@pytest.mark.slow
@pytest.mark.ci
def test_a_large_network_needs_at_least_its_weights_more(tmp_path: Path) -> None:
    small, large = exported(tmp_path, 8), exported(tmp_path, 20_000)
    more = size_mb(large) - size_mb(small)
    assert more > 60
    small_peak, large_peak = (peak_memory(f, image_size_px=16) for f in (small, large))
    assert large_peak.peak_mb - small_peak.peak_mb > more
    assert small_peak.runtime_mb < small_peak.peak_mb


@pytest.mark.slow
def test_a_large_parent_does_not_count(tmp_path: Path) -> None:
    file = exported(tmp_path, 8)
    ballast = bytearray(b"x") * 400_000_000
    assert peak_memory(file, image_size_px=16).peak_mb < 250
    assert resident_peak_bytes() > len(ballast)


def test_an_onnx_file_is_measured_without_pytorch(tmp_path: Path) -> None:
    file = exported(tmp_path, 8)
    code = (
        "import sys; from pathlib import Path; from thawline.cost import memory\n"
        f"memory._measure(Path({str(file)!r}), 16, 1, 1, 'cpu')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match=r"bad\.onnx: its memory could not be measured"):
        peak_memory(bad, image_size_px=16)


def test_a_folder_weighs_what_its_files_weigh(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1_500_000))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_bytes(bytes(500_000))
    assert size_mb(tmp_path) == 2.0
    assert size_mb(tmp_path / "a") == 1.5


def test_a_process_that_is_killed_is_no_traceback(tmp_path: Path) -> None:
    def kill() -> None:
        while not (found := psutil.Process().children()):
            time.sleep(0.01)
        found[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(
        ChildDiedError, match=r"the process that measures memory was killed \(SIGKILL\)"
    ):
        peak_memory(tmp_path / "network.onnx", image_size_px=16)
    killer.join()
