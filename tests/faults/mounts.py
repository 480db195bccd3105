"""File systems of a test's own: full ones, read-only ones, seen by one script and gone after it."""

import subprocess
from collections.abc import Mapping

from tests.pipeline.project import Done, Project

OFF = {"THAWLINE_TRACKING": "off"}
FULL = r"""
fill() {  # A folder becomes a file system of its own, full, with what it held but names like $2.
    kept=$(mktemp -d) && cp -a "$1/." "$kept" && mount -t tmpfs none "$1" && cp -a "$kept/." "$1"
    (cd "$1" && rm -rf $2 "$kept" && head -c 4096 /dev/zero > full)
    mount -o "remount,size=$(df --output=used -k "$1" | grep -o '[0-9]*$')k" "$1"
}
room() { rm "$1/full" && mount -o remount,size=200m "$1"; }
"""


def may_mount() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


def mounted(
    project: Project, script: str, code: int | None = 0, env: Mapping[str, str] | None = None
) -> Done:
    """Run a bash script that may mount; its first failing command ends it."""
    # The shell came in before the mounts: it has to enter the folder anew to see one on it.
    text = f'set -e\n{FULL}again() {{ cd / && cd "$OLDPWD"; }}\n{script}'
    done = project.run("unshare", "--mount", "bash", "-c", text, code=code, env=env)
    assert "Traceback" not in done.stderr
    return done
