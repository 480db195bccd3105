"""`python -m tests.repo.audit`: known weaknesses of the packages that constraints.txt pins.

Runs pip-audit (found by the PATH), which asks PyPI, then OSV. A mirror of PyPI may know packages
and no weaknesses, and pip-audit then skips them without an error: here that counts as no answer.
Exit code 1 when a weakness is known; 0 when there is none, or nobody answers and `--must` is not
given.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.repo.code_graph import ROOT

SERVICES = ("pypi", "osv")
_COMMAND = ("pip-audit", "--no-deps", "--disable-pip", "--timeout", "10", "--format", "json")
_IGNORED: dict[str, str] = {}
"""Weaknesses, by id, that do not concern this project, and why."""


def audit(service: str) -> Mapping[str, Any] | None:
    """What pip-audit found; None where the service does not answer, or pip-audit is not there."""
    words = [*_COMMAND, "--vulnerability-service", service]
    words += ["--requirement", str(ROOT / "constraints.txt")]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found: Mapping[str, Any] = json.loads(done.stdout)
    except (FileNotFoundError, ValueError):
        return None
    return found if any("vulns" in package for package in found["dependencies"]) else None


def weaknesses(found: Mapping[str, Any]) -> list[str]:
    """One line for each."""
    return [
        f"{package['name']} {package['version']}: {weakness['id']}; "
        f"mended in {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for package in found["dependencies"]
        for weakness in package.get("vulns", ())
        if weakness["id"] not in _IGNORED
    ]


def unknown(found: Mapping[str, Any]) -> list[str]:
    """Packages that the service has not heard of, such as builds of one's own."""
    return [package["name"] for package in found["dependencies"] if "skip_reason" in package]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--must", action="store_true", help="fail when nobody answers")
    asked = parser.parse_args()
    found = next(filter(None, map(audit, SERVICES)), None)
    if found is None:
        print("audit: NOT DONE: no pip-audit, or neither PyPI nor OSV answers; `make audit` later")
        return int(asked.must)
    lines = weaknesses(found)
    print("\n".join(lines) or "audit: no known weakness")
    if left_out := unknown(found):
        print(f"audit: not known there: {', '.join(left_out)}")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
