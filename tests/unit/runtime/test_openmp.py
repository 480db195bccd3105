"""Threads wait as the user says, or briefly."""

import pytest

from thawline.runtime import openmp


def test_spins_briefly_where_nothing_is_set() -> None:
    environ: dict[str, str] = {}
    openmp.wait_briefly(environ)
    assert environ == {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}


@pytest.mark.parametrize("own", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}])
def test_leaves_what_the_user_set(own: dict[str, str]) -> None:
    environ = dict(own)
    openmp.wait_briefly(environ)
    assert environ == own
