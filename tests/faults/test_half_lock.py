"""DVC writes dvc.lock in place: what reads it meanwhile may see half of it."""

from pathlib import Path

from thawline.dvc.hashes import Graph

DVC = """\
stages:
  ingest:
    cmd: a
    outs: [data]
  evaluate:
    cmd: b
    deps: [data]
    outs: [report, {more: {cache: false}}]
"""
LOCK = """\
schema: '2.0'
stages:
  ingest:
    cmd: a
    outs:
    - path: data
      hash: md5
      md5: 0123.dir
  evaluate:
    cmd: b
    deps:
    - path: data
      md5: 0123.dir
    outs:
    - path: report
      md5: '4567'
    - path: more
      md5: '89ab'
"""


def test_a_lock_cut_anywhere_counts_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(DVC)
    for end in range(len(LOCK) + 1):
        (tmp_path / "dvc.lock").write_text(LOCK[:end])
        graph = Graph(tmp_path)
        assert set(graph.stages) == {"ingest", "evaluate"}
        for name in graph.stages:
            assert set(graph.recorded(name)) <= set(graph.outputs(name))
            graph.current(name)
        graph.digest()
