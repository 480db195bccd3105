"""What a step frees is there for the next one, without the kernel's help."""

import subprocess
import sys

import pytest

from thawline.models import malloc

pytestmark = pytest.mark.skipif(not malloc.keep(), reason="not GNU's C library")

_PROGRAM = """
import resource, sys
import torch
from thawline.models import malloc as heap

if sys.argv[1] == "kept":
    heap.keep()
torch.set_num_threads(1)

def step():
    kept = [torch.ones(size << 18) for size in (1, 5, 20, 60)]  # 86 MiB
    return sum(float(tensor[0]) for tensor in kept)

for _ in range(20):  # small objects settle between the large ones
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_pages_are_given_to_a_process_once() -> None:
    kept, usual = (
        int(subprocess.check_output([sys.executable, "-c", _PROGRAM, how], text=True))
        for how in ("kept", "usual")
    )
    assert usual > 4 * 15_000, "60 MiB of 4 KiB pages at least, in each step"
    assert kept < usual / 10
