"""Fits the model to the training baskets and writes it as ONNX.

Multinomial logistic regression of scikit-learn: one-hot categories, scaled numbers,
L2 regularisation. The problem is convex and nothing is drawn at random.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from retail import model
from retail.features import NUMBERS, arrays
from retail.names import CATEGORIES, CLASSES, TARGET
from training import data
from training.files import write

DEFAULT_L2 = 1e-5  # did best on held-out baskets of generated data, among powers of ten
MOST_ITERATIONS = 1000
OPSET = 17


class TrainingError(Exception):
    """Data that no model can be learnt from."""


def fit(table: data.Table, l2: float = DEFAULT_L2) -> bytes:
    """Learn from the rows that are not held out; the result is the model's file."""
    rows, measured = data.divide(table.rows)
    seen = Counter(row.label for row in rows)
    for label in CLASSES:
        if not seen[label]:
            raise TrainingError(f"no training row of class {label} among {len(rows)}: more data is needed")
    categories, values = arrays(row.features for row in rows)
    pipeline = _pipeline(l2, len(rows))
    pipeline.fit(np.hstack([categories, values.astype(object)]), [CLASSES.index(row.label) for row in rows])
    training = {
        "rows": len(rows),
        "baskets": data.baskets(rows),
        "held_out_rows": len(measured),
        "dropped_rows": table.dropped,
        "data_digest": table.digest,
        "split": data.SPLIT,
        "l2": l2,
        "iterations": int(pipeline[-1].n_iter_[0]),
    }
    return _export(pipeline, training)


def _pipeline(l2: float, rows: int) -> Pipeline:
    columns = list(range(len(CATEGORIES) + len(NUMBERS)))
    encode = ColumnTransformer(
        [
            # A category that training has not seen has no influence on the answer.
            ("categories", OneHotEncoder(handle_unknown="ignore"), columns[: len(CATEGORIES)]),
            ("numbers", StandardScaler(), columns[len(CATEGORIES) :]),
        ]
    )
    # scikit-learn weighs the sum of the losses, l2 the weights against their mean.
    classify = LogisticRegression(C=1 / (l2 * rows), max_iter=MOST_ITERATIONS, tol=1e-5)
    return Pipeline([("encode", encode), ("classify", classify)])


def _export(pipeline: Pipeline, training: dict[str, Any]) -> bytes:
    inputs = [("categories", StringTensorType([None, len(CATEGORIES)])), ("numbers", FloatTensorType([None, len(NUMBERS)]))]
    graph = to_onnx(pipeline, initial_types=inputs, target_opset=OPSET, options={"zipmap": False}, name="retail")
    encoder = pipeline.named_steps["encode"].named_transformers_["categories"]
    about = {
        "format": model.FORMAT,
        "target": TARGET,
        "classes": list(CLASSES),
        "levels": {name: list(levels) for name, levels in zip(CATEGORIES, encoder.categories_, strict=True)},
        "training": training,
    }
    property_ = graph.metadata_props.add()
    property_.key, property_.value = "retail", json.dumps(about, sort_keys=True)
    raw = graph.SerializeToString(deterministic=True)
    model.decode(raw)  # what can't be loaded is not written
    return raw


def main(args: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="train", description="fit the model to the training baskets of a data file")
    parser.add_argument("--data", required=True, metavar="FILE", help="till rows, CSV with dunnhumby's 22 columns")
    parser.add_argument("--out", required=True, metavar="FOLDER", help=f"where to write {model.FILE_NAME}")
    parser.add_argument("--l2", type=float, default=DEFAULT_L2, help="strength of the regularisation, above 0: more is simpler")
    given = parser.parse_args(args)
    if not given.l2 > 0:
        parser.error("--l2 must be above 0")
    try:
        table = data.read(given.data)
        raw = fit(table, given.l2)
    except (data.DataError, TrainingError, model.ModelError) as trouble:
        print("train:", trouble, file=sys.stderr)
        return 1
    path = Path(given.out) / model.FILE_NAME
    write(path, raw)
    print(f"learnt from {model.decode(raw).training['rows']} rows; wrote {path} ({model.digest(raw)})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
