"""What people write by hand: params, policies, studies, schedules; and settings of git and DVC."""

from pathlib import Path

from tests.faults.fuzz.damage import Kind, refusable

_ROOT = Path(__file__).parents[3]
_CONFIG = (
    b"[core]\n    remote = there\n['remote \"there\"']\n    url = ../there\n[cache]\n    dir = c\n"
)
_LOCK = b"""schema: '2.0'
stages:
  ingest:
    cmd: python -m stages.ingest
    deps:
    - path: code.py
      md5: 00000000000000000000000000000000
      size: 3
    params:
      params.yaml:
        ingest.fit: crop
    outs:
    - path: data/ingest
      md5: 11111111111111111111111111111111.dir
      nfiles: 3
  evaluate:
    cmd: python -m stages.evaluate
    deps:
    - path: data/ingest
      md5: 11111111111111111111111111111111.dir
    outs:
    - path: reports
      md5: 22222222222222222222222222222222
"""
_GRAPH = b"""stages:
  ingest:
    cmd: python -m stages.ingest
    deps: [code.py]
    params: [ingest.fit]
    outs:
    - data/ingest
    metrics:
    - reports/m.json: {cache: false}
  evaluate:
    cmd: python -m stages.evaluate
    deps: [data/ingest]
    plots:
    - reports: {cache: false}
"""


def params() -> Kind:
    """Read params.yaml, or a word of `--set`."""
    from thawline.params import params_file as parameters
    from thawline.runtime import safe_yaml

    def read(data: bytes, folder: Path) -> None:
        (folder / "params.yaml").write_bytes(data)
        refusable(lambda: parameters.load(folder / "params.yaml"))
        refusable(lambda: safe_yaml.parse(data[:200].decode(errors="replace"), "--set x"))

    return Kind(files=[(_ROOT / "params.yaml").read_bytes()], read=read, text=True)


def policies() -> Kind:
    """Read a policy of steps, each of which is run once."""
    from thawline.augment import file

    def read(data: bytes, folder: Path) -> None:
        (folder / "policy.yaml").write_bytes(data)
        refusable(lambda: file.policy(32, file=folder / "policy.yaml"))

    whole = (_ROOT / "docs" / "policy.yaml").read_bytes()
    more = b"""- {name: CoarseDropout, num_holes_range: [1, 2], hole_height_range: [0.1, 0.2]}
- {name: ElasticTransform, alpha: 1, sigma: 4, p: 0.3}
- {name: RandomRain, drop_length: 3, blur_value: 3}
- {name: SomeOf, n: 2, steps: [{name: Downscale, scale_range: [0.5, 0.9]}, {name: RandomFog}]}
- {name: ImageCompression, quality_range: [40, 90]}
- {name: GridDistortion, num_steps: 5}
- {name: Morphological, scale: [2, 3]}
"""
    return Kind(files=[whole, more], read=read, text=True)


def studies() -> Kind:
    """Read a study and lay out its grid."""
    from thawline.params import params_file as parameters
    from thawline.studies import definition, plan

    project = parameters.load(_ROOT / "params.yaml")

    def read(data: bytes, folder: Path) -> None:
        path = folder / "study.yaml"
        path.write_bytes(data)
        refusable(lambda: plan.study(path, definition.load(path), project))

    files = [path.read_bytes() for path in sorted((_ROOT / "studies").glob("*.yaml"))]
    return Kind(files=files, read=read, text=True)


def schedules() -> Kind:
    """Read a cron line."""
    from thawline.flows import timetable

    def read(data: bytes, _: Path) -> None:
        refusable(lambda: timetable.read(data.decode(errors="surrogateescape"), "UTC"))

    lines = (b"0 3 * * *", b"*/5 1-4,7 1,L * mon-fri", b"@daily", b"30 2 29 2 *", b"0 0 ? 1 sun#2")
    return Kind(files=list(lines), read=read, text=True)


def graphs() -> Kind:
    """Read dvc.yaml and dvc.lock, which a merge or a cut may have damaged."""
    from thawline.dvc.hashes import Graph
    from thawline.pipeline.run import _problem_of_lock

    def read(data: bytes, folder: Path) -> None:
        for name, other, whole in (
            ("dvc.lock", "dvc.yaml", _GRAPH),
            ("dvc.yaml", "dvc.lock", _LOCK),
        ):
            (folder / name).write_bytes(data)
            (folder / other).write_bytes(whole)
            graph = Graph(folder)
            graph.digest(), graph.uncached()
            for stage in graph.stages:
                graph.spec(stage), graph.outputs(stage), graph.recorded(stage), graph.params(stage)
                graph.current(stage), graph.received(stage), graph.needed(stage)
            _problem_of_lock()

    return Kind(files=[_LOCK, _GRAPH], read=read, text=True)


def places() -> Kind:
    """Find where links may lead by the settings of DVC and the pointers of git."""
    from thawline.runtime.dvc_view import _Ignores
    from thawline.runtime.links import Bounds

    def read(data: bytes, folder: Path) -> None:
        here = folder / "repository"
        (here / ".dvc").mkdir(parents=True, exist_ok=True)
        (here / "git").mkdir(exist_ok=True)
        (here / ".dvc" / "config").write_bytes(data)
        (here / ".dvcignore").write_bytes(data)
        (here / "git" / "commondir").write_bytes(data)
        (here / ".git").write_bytes(data if data[:3] == b"git" else b"gitdir: git\n")
        bounds = Bounds(here)
        for target in ("/x/annex/objects/y", "/x/00/" + "0" * 30, "/x"):
            bounds.hold(Path(target))
        ignores = _Ignores()
        ignores.read(here)
        ignores.match("a/b.png")

    return Kind(
        files=[_CONFIG, b"gitdir: git\n", b"../x\n", b"/data\n*.tmp\n!a/**/b\n"],
        read=read,
        text=True,
    )
