"""What several folders of tests need."""

import os
from pathlib import Path

import pytest

# Threads of OpenMP that spin while they wait starve the tests that run beside them. Read once,
# when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[1]
