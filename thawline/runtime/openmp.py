"""Set how the threads of OpenMP, which PyTorch computes with, wait for each other."""

import os
from collections.abc import MutableMapping

POLICY, SPINS = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"
_SPINS = "1000"


def wait_briefly(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let waiting threads spin for some ten microseconds, then sleep; the user's settings stay.

    To be called before PyTorch loads, which reads it once. Threads that only spin starve whatever
    else runs, and one that sleeps at once is woken late, hundreds of times in a step: see
    docs/decisions/0005. GNU's library, in PyTorch for Linux, takes the count, others the policy.
    """
    if POLICY not in environ and SPINS not in environ:
        environ.update({POLICY: "passive", SPINS: _SPINS})
