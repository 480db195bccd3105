"""Keep what each tool did on each set, a JSON file per run, so that a comparison can go on."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

OURS = "thawline"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Describe a tool of the comparison.

    Attributes:
        title: as the reports name it.
        module: of benchmarks.own_images.
        sized: whether it is told the size of the images.
        seeded: whether another seed changes anything.
    """

    title: str
    module: str
    sized: bool = True
    seeded: bool = True


TOOLS = {
    OURS: Tool(title="Thawline, nothing set", module="with_thawline", sized=False),
    "fastai": Tool(title="fastai fine_tune(8)", module="with_fastai"),
    "recipe": Tool(title="timm / torchvision recipe", module="with_recipe"),
    "lightning": Tool(title="Lightning BackboneFinetuning", module="with_lightning"),
    "logistic": Tool(title="logistic regression", module="with_logistic", seeded=False),
    "logistic-cv": Tool(
        title="logistic regression, C tuned", module="with_logistic_cv", seeded=False
    ),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Name one run of a tool on a set.

    Attributes:
        size_px: of the images, None where the tool chooses.
    """

    set_name: str
    tool: str
    size_px: int | None
    seed: int

    def path(self, out: Path) -> Path:
        """Name the file of its record."""
        size = f"-{self.size_px}px" if self.size_px else ""
        return out / self.set_name / f"{self.tool}{size}-{self.seed}.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """Hold what one run gave.

    Attributes:
        points: seconds since the start and accuracy on the test images, as it trained.
        predicted, labels: class of each test image.
        train: training images.
        wall_s, cpu_s: seconds of the process and of the cores, looks at the test images included.
        load: processes that wanted a core, mean over the last minute of the run; well above the
            threads of the run, its seconds say little.
        whole_s: seconds of the whole command, where it does more than train.
        shipped: of ours: parameters and multiply-adds over those of the whole network, whether
            tuned weights were accepted (1 or 0), whether the last fit had the validation images,
            and the interval of the forecast at the first answer.
    """

    run: Run
    points: list[tuple[float, float]]
    predicted: list[int]
    labels: list[int]
    train: int
    wall_s: float
    cpu_s: float
    load: float
    whole_s: float | None = None
    shipped: dict[str, float] | None = None

    @property
    def right(self) -> np.ndarray:
        """Return whether each test image was named right, bool (N,)."""
        found: np.ndarray = np.array(self.predicted) == np.array(self.labels)
        return found

    @property
    def seconds(self) -> float:
        """Return the seconds to the last point."""
        return self.points[-1][0]

    def write(self, out: Path) -> None:
        """Write the record under its own name, whole or not at all."""
        path = self.run.path(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        beside.replace(path)


def read(path: Path) -> Record:
    """Read a record."""
    held = json.loads(path.read_text(encoding="utf-8"))
    points = [(seconds, accuracy) for seconds, accuracy in held.pop("points")]
    return Record(run=Run(**held.pop("run")), points=points, **held)


def read_all(out: Path) -> list[Record]:
    """Read every record of a folder, in the order of their names."""
    return [read(path) for path in sorted(out.glob("*/*.json"))]


def planned(
    sets: Sequence[str], tools: Sequence[str], sizes: Sequence[int], seeds: int
) -> list[Run]:
    """List the runs of a comparison, all tools on a set with one seed before the next."""
    return [
        Run(set_name=name, tool=tool, size_px=size, seed=seed)
        for seed in range(seeds)
        for name in sets
        for tool in tools
        for size in (sizes if TOOLS[tool].sized else [None])
        if seed == 0 or TOOLS[tool].seeded
    ]


def left(runs: Sequence[Run], out: Path) -> list[Run]:
    """Leave out the runs whose records are there."""
    return [run for run in runs if not run.path(out).exists()]
