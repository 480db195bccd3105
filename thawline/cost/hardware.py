"""Describe the hardware and libraries that a measured speed depends on."""

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

import onnxruntime
import torch


@dataclass(frozen=True, kw_only=True)
class Device:
    """Hardware and libraries behind a measured speed: compare times only of one `fingerprint`."""

    name: str
    instructions: str
    threads: int
    torch: str
    onnxruntime: str

    @property
    def fingerprint(self) -> str:
        """Hash of all values, twelve hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, str | int]:
        """Return all values and the fingerprint as plain values."""
        return {**asdict(self), "fingerprint": self.fingerprint}


def describe(device: str, threads: int) -> Device:
    """Describe the device that "cpu" or "cuda" is here, without the host's name."""
    gpu = device.startswith("cuda")
    return Device(
        name=gpu_name(device) if gpu else _cpu_name(),
        instructions=_compute_capability(device)
        if gpu
        else torch.backends.cpu.get_cpu_capability(),
        threads=threads,
        torch=torch.__version__,
        onnxruntime=onnxruntime.__version__,
    )


def gpu_name(device: str) -> str:
    """Return the model of a GPU."""
    return torch.cuda.get_device_name(device)


def _cpu_name() -> str:
    """Return the processor's model; platform.processor() is empty or "x86_64" on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def _compute_capability(device: str) -> str:
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"
