"""A policy file: read as steps, or refused with the step, the key, the value and the remedy."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from thawline.augment import file as policy_file
from thawline.augment._transforms import ALLOWED, Views, argument_names
from thawline.errors import UserError
from thawline.params import params_file

SIZE = 32
Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write_file(content: str | bytes) -> Path:
        path = Path("mine.yaml")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def message(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        policy_file.policy(SIZE, file=path)
    text = str(caught.value)
    assert text.isprintable(), f"not one printable line: {text!r}"
    assert text.startswith("mine.yaml: ")
    assert len(text) < 1200
    return text


def test_the_example_is_read(repository: Path) -> None:
    steps = policy_file.policy(SIZE, file=repository / "docs" / "policy.yaml")
    assert [step["name"] for step in steps] == [
        "HorizontalFlip", "RandomResizedCrop", "OneOf", "RandomOrder",
    ]  # fmt: skip
    assert steps[1]["size"] == [SIZE, SIZE]
    assert json.loads(json.dumps(steps)) == steps
    Views(steps, 0)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("- {name: HorizontalFlop}", ["step 1: name: 'HorizontalFlop'", "mean 'HorizontalFlip'"]),
        ("- {name: Lambda}", ["step 1: name: 'Lambda' is unknown", "Affine, "]),
        ("- {name: [D4]}", ["step 1: name: ['D4'] is unknown"]),
        ("- {name: D4}\n- {name: Affine, rotat: 3}", ["step 2 (Affine): 'rotat'", "mean 'rotate'"]),
        ("- {name: GaussNoise, std_range: [2, 3]}", ["std_range: [2, 3]", ">= 0 and <= 1"]),
        ("- {name: Affine, rotate: far}", ["(Affine): rotate: 'far' is not allowed"]),
        ("- {name: D4, p: 1.5}", ["(D4): p: 1.5", "from 0 to 1"]),
        ("- {name: D4, p: .nan}", ["(D4): p: nan"]),
        ("- {name: D4, p: true}", ["(D4): p: True"]),
        ("- {name: Affine, rotate: .inf}", ["rotate: inf"]),
        ("- {name: Affine, rotate: 2020-01-01}", ["rotate: ", "numbers up to 10000, texts"]),
        ("- {name: RandomResizedCrop, size: [9, 9]}", ["size: [9, 9]", "[32, 32], or leave it"]),
        ("- {name: Affine, fit_output: true, scale: 2.0}", ["makes images of", "32x32x3"]),
        ("- {name: RandomRain, drop_length: 500}", ["(RandomRain): cannot run with these values"]),
        ("- {name: OneOf}", ["(OneOf), steps: nothing where a list"]),
        (
            "- {name: OneOf, p: 1, steps: [{name: D4}, {name: D5}]}",
            ["(OneOf), steps: step 2: name"],
        ),
        ("- {name: SomeOf, n: 3, steps: [{name: D4}]}", ["(SomeOf): `n` is greater"]),
        ("- {name: RandomOrder, n: 100000, replace: true, steps: [{name: D4}]}", ["n: 100000"]),
        (
            "- {name: SomeOf, n: 40, replace: true, steps: [{name: SomeOf, n: 7, replace: true, "
            "steps: [{name: D4}]}]}",
            ["(SomeOf): steps: '280 at a time'", "at most 256"],
        ),
        ("- {name: GaussianBlur, blur_limit: 20001}", ["blur_limit: 20001", "up to 10000"]),
        ("- {name: Affine, rotate: [0, Infinity]}", ["rotate: [0, 'Infinity']", "up to 10000"]),
        ("- D4", ["step 1: 'D4' is no step"]),
        ("name: D4", ["dict where a list of steps"]),
        ("", ["nothing where a list of steps"]),
        ("[]", ["nothing where a list of steps"]),
        ("- {name: D4}\n" * 65, ["65 steps; allowed: at most 64"]),
        ("- &a {name: D4}\n- *a", ["aliases"]),
        ("- !!python/object:os.system {}", ["not valid YAML"]),
        ("- {name: D4, name: D4}", ["not valid YAML"]),
        ("- {name: Affine, rotate: 0x" + "f" * 5000 + "}", ["(Affine)"]),
        (b"\xff\xfe\x00", ["not a text file"]),
        ("#" * 100_001, ["100001 bytes"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_named(write: Write, text: str | bytes, parts: list[str]) -> None:
    found = message(write(text))
    for part in parts:
        assert part in found, found


def test_a_file_that_is_not_there(write: Write) -> None:
    write("")
    with pytest.raises(UserError, match=r"other\.yaml: cannot be read"):
        policy_file.policy(SIZE, file=Path("other.yaml"))


def test_without_a_file_params_are_refused(write: Write, repository: Path) -> None:
    real = (repository / "params.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^  policy: auto(?= )", "  policy: file", real)
    assert changed != real
    write("")
    Path("params.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(UserError, match=r"augment\.file: 'data/none' means no file"):
        params_file.load()
    named = re.sub(r"(?m)^  file: data/none", "  file: mine.yaml", changed)
    Path("params.yaml").write_text(named, encoding="utf-8")
    assert params_file.load().augment.file == "mine.yaml"


@pytest.mark.parametrize("name", sorted(ALLOWED - {"OneOf", "SomeOf", "RandomOrder"}))
def test_every_allowed_transform_runs_as_it_is(write: Write, name: str) -> None:
    assert "p" in argument_names(name)
    (step,) = policy_file.policy(SIZE, file=write(f"- name: {name}"))
    assert step["name"] == name
