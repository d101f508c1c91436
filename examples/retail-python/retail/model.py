"""The model's file: an ONNX graph that says in its metadata what it is.

ONNX is data and not code: loading it runs nothing that a stranger wrote, which a
pickle would.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from retail.features import NUMBERS, Features, arrays
from retail.names import CATEGORIES, CLASSES, TARGET

FILE_NAME = "model.onnx"
METRICS_NAME = "metrics.json"
FORMAT = "retail-onnx/1"  # another layout gets another number
MOST_BYTES = 256 << 20


class ModelError(Exception):
    """A model that can't be used; its text names the file and what is wrong with it."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one row: chances in the order of CLASSES, which add up to 1.

    unknown tells, in the order of CATEGORIES, which values training has not seen.
    """

    chances: tuple[float, ...]
    unknown: tuple[bool, ...]

    @property
    def label(self) -> str:
        """The likeliest class, the first of equals."""
        return CLASSES[self.chances.index(max(self.chances))]


class Model:
    """A loaded classifier. It does not change, and threads may share it."""

    def __init__(self, session: onnxruntime.InferenceSession, about: dict[str, Any], digest: str) -> None:
        self._session = session
        self.digest = digest
        self.levels: dict[str, list[str]] = about["levels"]
        self.training: dict[str, Any] = about["training"]
        self._known = [frozenset(self.levels[name]) for name in CATEGORIES]

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        """The chances of each class for each row, in their order."""
        if not rows:
            return []
        chances = self.chances(*arrays(rows))
        return [
            Prediction(tuple(chance), tuple(v not in known for v, known in zip(row.categories, self._known, strict=True)))
            for chance, row in zip(chances.tolist(), rows, strict=True)
        ]

    def chances(self, categories: NDArray[np.object_], values: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same for arrays, of shape (n, 3)."""
        (raw,) = self._session.run(["probabilities"], {"categories": categories, "numbers": values})
        chances = raw.astype(np.float64)
        return chances / chances.sum(axis=1, keepdims=True)


def load(folder: str | Path) -> Model:
    """Read model.onnx from the folder and check it: a model that loads can predict."""
    path = Path(folder) / FILE_NAME
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"model {path}: larger than {MOST_BYTES} bytes")
        raw = path.read_bytes()
    except OSError as trouble:
        hint = f"make one with `python -m training.train --data FILE --out {folder}`"
        raise ModelError(f"open model: {trouble} ({hint})") from trouble
    try:
        return decode(raw)
    except ModelError as trouble:
        raise ModelError(f"model {path}: {trouble}") from trouble


def decode(raw: bytes) -> Model:
    """Make a model of a file's bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a row is too little to share
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as trouble:  # onnxruntime has no class for all of its own
        first = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
        raise ModelError(f"corrupt or no ONNX ({first}): copy or train it again") from trouble
    about = _about(session)
    model = Model(session, about, digest(raw))
    _check_shapes(session)
    trial = Features(tuple(model.levels[name][0] for name in CATEGORIES), 1.0, 1.0)
    chances = model.predict([trial])[0].chances
    if len(chances) != len(CLASSES) or not np.isfinite(chances).all():
        raise ModelError(f"answers {chances} for a row of its own training, expected {len(CLASSES)} chances")
    return model


def _about(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    properties = session.get_modelmeta().custom_metadata_map
    try:
        about = json.loads(properties["retail"])
        form, target, classes, levels = about["format"], about["target"], about["classes"], about["levels"]
        training = about["training"]
    except (KeyError, TypeError, ValueError) as trouble:
        raise ModelError("does not say what it is: no model of this training") from trouble
    if form != FORMAT:
        raise ModelError(f"format is {form!r}, this program reads {FORMAT!r}: train again")
    if target != TARGET or classes != list(CLASSES):
        raise ModelError(f"predicts {target!r} as {classes}, expected {TARGET} as {list(CLASSES)}")
    if not isinstance(training, dict) or not isinstance(levels, dict):
        raise ModelError("does not say how it was trained: no model of this training")
    for name in CATEGORIES:
        known = levels.get(name)
        if not isinstance(known, list) or not known or not all(isinstance(v, str) for v in known):
            raise ModelError(f"has no levels of {name}")
    return about


def _check_shapes(session: onnxruntime.InferenceSession) -> None:
    expected = {"categories": ("tensor(string)", len(CATEGORIES)), "numbers": ("tensor(float)", len(NUMBERS))}
    found = {i.name: (i.type, i.shape[-1]) for i in session.get_inputs()}
    if found != expected:
        raise ModelError(f"takes {found}, expected {expected}")
    if "probabilities" not in [o.name for o in session.get_outputs()]:
        raise ModelError("gives no probabilities")


def digest(raw: bytes) -> str:
    """The bytes' name: sha256:<hex>."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()
