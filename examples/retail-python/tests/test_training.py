import json
import pickle

import numpy as np
import pytest

from retail import model
from retail.features import Features
from retail.names import CATEGORIES, CLASSES
from training import data, evaluate, train
from training.files import write
from training.generate import main as generate_main


def test_a_good_model_is_learnt(trained, table):
    metrics = json.loads((trained / model.METRICS_NAME).read_text())
    assert metrics["accuracy"] > 0.75
    assert metrics["f1_macro"] > 0.75
    assert metrics["accuracy"] > metrics["majority_accuracy"] + 0.2
    assert metrics["rows"] == len(data.divide(table.rows)[1])
    assert sum(map(sum, metrics["confusion"]["matrix"])) == metrics["rows"]
    assert sum(c["support"] for c in metrics["classes"].values()) == metrics["rows"]
    assert sum(r["rows"] for r in metrics["regions"].values()) == metrics["rows"]
    assert metrics["source"]["model_digest"] == model.load(trained).digest


def test_the_same_data_make_the_same_file(table):
    assert train.fit(table) == train.fit(table)


def test_what_serves_answers_as_what_was_trained(table, trained):
    loaded = model.load(trained)
    rows = [row.features for row in table.rows[:200]]
    together = loaded.predict(rows)
    alone = [loaded.predict([row])[0] for row in rows]
    np.testing.assert_allclose([p.chances for p in together], [p.chances for p in alone], atol=1e-6)
    assert all(abs(sum(p.chances) - 1) < 1e-9 for p in together)
    assert loaded.training["rows"] + loaded.training["held_out_rows"] == len(table.rows)


def test_an_unknown_category_has_no_influence(table, trained):
    loaded = model.load(trained)
    known = table.rows[0].features
    strange = Features(("X" * 10, *known.categories[1:]), known.spend, known.quantity)
    (answer,) = loaded.predict([strange])
    assert answer.unknown == (True, *[False] * (len(CATEGORIES) - 1))
    assert answer.label in CLASSES
    assert loaded.predict([known])[0].unknown == (False,) * len(CATEGORIES)


def test_too_little_data_is_refused(table):
    few = data.Table(rows=[row for row in table.rows if row.label != "UM"])
    with pytest.raises(train.TrainingError, match="no training row of class UM"):
        train.fit(few)


def test_nothing_held_out_is_null(trained, table):
    training, _ = data.divide(table.rows)
    metrics = evaluate.measure(model.load(trained), data.Table(rows=training[:50]))
    assert metrics["rows"] == 0
    assert metrics["accuracy"] is metrics["f1_macro"] is metrics["log_loss"] is None
    assert metrics["classes"]["LA"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    json.dumps(metrics, allow_nan=False)


def test_a_class_that_never_occurs_is_null(trained, table):
    _, measured = data.divide(table.rows)
    only = [row for row in measured if row.label == "LA"]
    metrics = evaluate.measure(model.load(trained), data.Table(rows=only))
    assert metrics["classes"]["UM"]["recall"] is None
    json.dumps(metrics, allow_nan=False)


def test_the_commands(tmp_path, capsys):
    csv, out = tmp_path / "t.csv", tmp_path / "out"
    generate_main(["--rows", "2000", "--out", str(csv)])
    assert train.main(["--data", str(csv), "--out", str(out)]) == 0
    assert evaluate.main(["--data", str(csv), "--model", str(out), "--out", str(out / "metrics.json")]) == 0
    assert "held-out rows" in capsys.readouterr().err
    assert train.main(["--data", str(tmp_path / "none"), "--out", str(out)]) == 1
    assert evaluate.main(["--data", str(csv), "--model", str(tmp_path), "--out", str(out / "m.json")]) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "corrupt or no ONNX"),
        (b"not a model", "corrupt or no ONNX"),
        (pickle.dumps({"a": print}), "corrupt or no ONNX"),
        (None, "open model"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, content, says):
    if content is not None:
        write(tmp_path / model.FILE_NAME, content)
    with pytest.raises(model.ModelError) as wrong:
        model.load(tmp_path)
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_cut_or_foreign_model_is_refused(trained):
    import onnx

    raw = (trained / model.FILE_NAME).read_bytes()
    with pytest.raises(model.ModelError):
        model.decode(raw[: len(raw) // 2])
    graph = onnx.load_from_string(raw)
    about = json.loads(graph.metadata_props[0].value)
    changes = [
        ("format", "retail-onnx/9", "train again"),
        ("classes", ["A"], "predicts"),
        ("levels", {}, "no levels of BASKET_SIZE"),
    ]
    for key, value, says in changes:
        graph.metadata_props[0].value = json.dumps(about | {key: value})
        with pytest.raises(model.ModelError, match=says):
            model.decode(graph.SerializeToString())
    del graph.metadata_props[:]
    with pytest.raises(model.ModelError, match="does not say what it is"):
        model.decode(graph.SerializeToString())
