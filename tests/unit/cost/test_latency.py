import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from thawline.compress.export import export
from thawline.cost import hardware, latency

HALF = (0.5, 0.5, 0.5)


def network(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 4),
    )


def measure(net: nn.Module, repeats: int = 50) -> latency.Speed:
    return latency.measure_network(
        net, mean=HALF, std=HALF, image_size_px=32, batch_size=8, repeats=repeats, threads=1,
        device="cpu", rng=np.random.default_rng(0),
    )  # fmt: skip


@pytest.mark.slow
def test_a_larger_network_is_slower() -> None:
    small, large = measure(network(2)), measure(network(512))
    assert 0 < small.latency_ms < large.latency_ms
    assert large.throughput_per_s < small.throughput_per_s
    assert small.latency_ms <= small.latency_p95_ms <= small.latency_p99_ms


def test_batch_sizes_are_compared() -> None:
    measured = measure(network(2))
    assert sorted(measured.throughput_by_batch) == [1, 2, 8, 16]
    assert measured.throughput_by_batch[8] == measured.throughput_per_s
    assert measured.throughput_by_batch[measured.best_batch] == max(
        measured.throughput_by_batch.values()
    )


def test_sleep_is_measured_as_sleep() -> None:
    class Sleeper(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            time.sleep(0.004)
            return images.mean((2, 3))

    measured = measure(Sleeper())
    assert measured.latency_ms == pytest.approx(4, abs=2.5)
    assert measured.throughput_per_s == pytest.approx(8 / 0.004, rel=0.5)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    measure(network(2))
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_an_exported_network_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    export(network(4), file, image_size_px=32, mean=HALF, std=HALF)
    measured = latency.measure_session(
        file, image_size_px=32, batch_size=8, repeats=50, threads=1, rng=np.random.default_rng(0)
    )
    assert 0 < measured.latency_ms < 1000
    assert (measured.batch_size, measured.repeats) == (8, 50)


def test_few_repeats_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 50"):
        measure(network(2), repeats=49)


@pytest.mark.slow
@pytest.mark.ci
def test_one_measurement_at_a_time_on_the_machine(capfd: pytest.CaptureFixture[str]) -> None:
    holder = (
        "import time; from thawline.cost.latency import exclusive\n"
        "with exclusive(): print('held', flush=True); time.sleep(2.5)"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        started = time.monotonic()
        with latency.exclusive():
            waited = time.monotonic() - started
    assert waited > 2
    assert "waiting for another measurement" in capfd.readouterr().err


def test_the_lock_of_a_killed_process_is_free() -> None:
    holder = (
        "import os, time; from thawline.cost.latency import exclusive\n"
        "with exclusive(): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait()
        started = time.monotonic()
        with latency.exclusive():
            assert time.monotonic() - started < 2


@pytest.mark.parametrize("kind", ["folder", "not ours", "link"])
def test_a_lock_that_somebody_else_has_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """In the common folder, where anybody may; the kernel keeps us from opening it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lock = tmp_path / f"thawline-measure-{os.getuid()}.lock"
    if kind == "folder":
        lock.mkdir()
    elif kind == "link":
        (tmp_path / "precious").write_text("of somebody")
        lock.symlink_to(tmp_path / "precious")
    else:
        if os.getuid() == 0:
            pytest.skip("root may open everything")
        lock.touch(mode=0o000)
    with latency.exclusive():
        pass
    if kind != "link":
        assert "take turns within this project only" in capsys.readouterr().err
    else:
        assert (tmp_path / "precious").read_text() == "of somebody"


def test_the_fingerprint_tells_devices_apart_but_names_no_host() -> None:
    import platform

    one, two = hardware.describe("cpu", 1), hardware.describe("cpu", 2)
    assert one.fingerprint == hardware.describe("cpu", 1).fingerprint != two.fingerprint
    assert len(one.fingerprint) == 12
    assert platform.node() not in str(one.as_json()).split("'")


@pytest.mark.gpu
def test_a_gpu_is_measured_to_the_end_of_its_work() -> None:
    slow = nn.Sequential(*(nn.Conv2d(3 if not i else 256, 256, 3) for i in range(10)), nn.Flatten())
    measured = latency.measure_network(
        slow, mean=HALF, std=HALF, image_size_px=96, batch_size=64, repeats=50, threads=1,
        device="cuda", rng=np.random.default_rng(0),
    )  # fmt: skip
    assert 64 / measured.throughput_per_s > 1e-3
    assert "NVIDIA" in hardware.describe("cuda", 1).name
