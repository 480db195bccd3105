"""Requests to the served model, as MLflow's server hands them on."""

import base64
import importlib
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image

from tests import colours
from tests.faults.fuzz.damage import Kind

_ANSWERS = (200, 400, 415)
_OURS = ("images", "answers", "model")


def requests() -> Kind:
    """Answer JSON bodies: base64 of either alphabet, data URIs, nested arrays, frames."""
    from mlflow.pyfunc import scoring_server
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    model = SimpleNamespace(predict=_classifier().predict, metadata=None)
    served = SimpleNamespace(predict=lambda found, params=None: model.predict(None, found, params))
    answer = sys.modules["thawline_answers"]._answering(scoring_server.invocations)
    schema = Schema([ColSpec(AnyType(), "image")])

    def read(data: bytes, _: Path) -> None:
        found = answer(data, "application/json", served, schema)
        assert found.status in _ANSWERS, (found.status, found.response[:500])
        said = json.loads(found.response)
        if found.status != 200:
            assert said["message"].isprintable(), said

    return Kind(files=_bodies(), read=read, text=True)


def _classifier() -> Any:
    from thawline.ingest.decoding import decode

    sys.modules["thawline_decode"] = decode
    for name in _OURS:
        module = importlib.import_module(f"thawline.registry.served_{name}")
        sys.modules[f"thawline_{name}"] = module
    folder = colours.write(Path("served"), size_px=32)
    artifacts = {"network": str(folder / "model.onnx"), "card": str(folder / "model.json")}
    made = sys.modules["thawline_model"].ImageClassifier()
    made.load_context(SimpleNamespace(artifacts=artifacts))
    return made


def _bodies() -> list[bytes]:
    buffer = io.BytesIO()
    Image.effect_noise((9, 7), 60).convert("RGB").save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    url_safe = base64.urlsafe_b64encode(buffer.getvalue()).decode().rstrip("=")
    colour, grey = [[[1, 2, 3]] * 3] * 4, [[7] * 3] * 4
    bodies: list[dict[str, Any]] = [
        {"inputs": [text, text]},
        {"inputs": {"image": [text, url_safe]}},
        {"inputs": [f"data:image/png;base64,{text}"]},
        {"inputs": [colour, grey]},
        {"inputs": [[[[1], [2]], [[3], [4]]]]},
        {"instances": [{"image": text}, {"image": grey}]},
        {"dataframe_split": {"columns": ["image"], "data": [[text], [colour]]}},
        {"dataframe_records": [{"image": text}], "params": {"a": 1}},
    ]
    return [json.dumps(body).encode() for body in bodies]
