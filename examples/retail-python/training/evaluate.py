"""Measures a model on the baskets that were held out from its training.

The numbers at the top of metrics.json are what gates ask for. A figure that the data
does not allow (nothing was held out, a class never occurred) is null, never a number
made up for it.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from retail import model
from retail.features import arrays
from retail.names import CLASSES
from training import data
from training.files import write


def measure(trained: model.Model, table: data.Table) -> dict[str, Any]:
    """Predict the held-out rows and count."""
    _, rows = data.divide(table.rows)
    metrics: dict[str, Any] = dict.fromkeys(("accuracy", "f1_macro", "log_loss", "majority_accuracy"))
    metrics |= {"rows": len(rows), "baskets": data.baskets(rows), "classes": {}, "regions": {}}
    metrics["source"] = {"data_digest": table.digest, "model_digest": trained.digest, "split": data.SPLIT}
    labels = list(range(len(CLASSES)))
    actual = np.array([CLASSES.index(row.label) for row in rows], dtype=int)
    predicted = actual
    if rows:
        chances = trained.chances(*arrays(row.features for row in rows))
        predicted = chances.argmax(axis=1)
        likelihood = np.maximum(chances[np.arange(len(rows)), actual], np.finfo(float).tiny)
        metrics |= {
            "accuracy": float(accuracy_score(actual, predicted)),
            "f1_macro": float(f1_score(actual, predicted, average="macro")),
            "log_loss": float(-np.log(likelihood).mean()),
            "majority_accuracy": max(Counter(actual.tolist()).values()) / len(rows),
        }
    matrix = confusion_matrix(actual, predicted, labels=labels) if rows else np.zeros((len(labels),) * 2, int)
    metrics["confusion"] = {"labels": list(CLASSES), "matrix": matrix.tolist()}
    metrics["classes"] = _classes(actual, predicted, labels)
    metrics["regions"] = _regions(rows, predicted == actual)
    return metrics


def _classes(actual: Any, predicted: Any, labels: list[int]) -> dict[str, Any]:
    """Figures of each class; null where nothing was counted."""
    found = [[None] * len(labels)] * 3 + [[0] * len(labels)]
    if len(actual):
        found = precision_recall_fscore_support(actual, predicted, labels=labels, zero_division=np.nan)
    names = ("precision", "recall", "f1")
    out = {}
    for i, name in enumerate(CLASSES):
        figures = {key: _number(found[k][i]) for k, key in enumerate(names)}
        out[name] = figures | {"support": int(found[3][i])}
    return out


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)


def _regions(rows: list[data.Row], right: Any) -> dict[str, Any]:
    """Accuracy by STORE_REGION."""
    counted: Counter[str] = Counter()
    good: Counter[str] = Counter()
    for row, is_right in zip(rows, right, strict=True):
        region = row.features.categories[2]
        counted[region] += 1
        good[region] += int(is_right)
    return {region: {"accuracy": good[region] / n, "rows": n} for region, n in sorted(counted.items())}


def main(args: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="evaluate", description="measure a model on the held-out baskets of a data file")
    parser.add_argument("--data", required=True, metavar="FILE", help="till rows, CSV with dunnhumby's 22 columns")
    parser.add_argument("--model", required=True, metavar="FOLDER", help=f"holds {model.FILE_NAME}")
    parser.add_argument("--out", required=True, metavar="FILE", help="where to write the metrics")
    given = parser.parse_args(args)
    try:
        metrics = measure(model.load(given.model), data.read(given.data))
    except (data.DataError, model.ModelError) as trouble:
        print("evaluate:", trouble, file=sys.stderr)
        return 1
    write(given.out, json.dumps(metrics, indent=2, allow_nan=False).encode() + b"\n")
    if metrics["rows"]:
        print(
            f"accuracy {metrics['accuracy']:.4f}, macro F1 {metrics['f1_macro']:.4f} on {metrics['rows']} held-out rows of "
            f"{metrics['baskets']} baskets (always the commonest class: {metrics['majority_accuracy']:.4f})",
            file=sys.stderr,
        )
    else:
        print(f"nothing measured: no basket of {given.data} is held out, so accuracy is null", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
