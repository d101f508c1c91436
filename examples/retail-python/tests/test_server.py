import dataclasses
import json
import logging

import pytest
from fastapi.testclient import TestClient

from retail import model
from server.app import create, prepare
from server.settings import Settings, SettingsError, parse
from training.files import write


def fields(answer) -> dict[str, str]:
    return {e.get("field", ""): e["message"] for e in answer.json()["errors"]}


def test_health_names_what_serves(client):
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "release": "r-0123456789ab", "model_version": "7"}
    assert client.head("/health").status_code == 200


def test_predict(client, row):
    answer = client.post("/predict", json=row)
    assert answer.status_code == 200
    said = answer.json()
    assert said["class"] == max(said["probabilities"], key=said["probabilities"].get)
    assert abs(sum(said["probabilities"].values()) - 1) < 1e-9
    assert list(said["probabilities"]) == ["LA", "MM", "UM"]
    assert said["model_version"] == "7"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"SPEND": None}, "SPEND", "must be a number, not null"),
        ({"SPEND": "1"}, "SPEND", "must be a number, not a string"),
        ({"SPEND": True}, "SPEND", "must be a number, not a boolean"),
        ({"SPEND": -1}, "SPEND", "must not be negative"),
        ({"SPEND": 1e7}, "SPEND", "must be at most 1000000"),
        ({"QUANTITY": 0}, "QUANTITY", "must be a whole number of at least 1"),
        ({"QUANTITY": 1.5}, "QUANTITY", "must be a whole number of at least 1"),
        ({"BASKET_SIZE": 3}, "BASKET_SIZE", "must be a string, not a number"),
        ({"BASKET_SIZE": ["L"]}, "BASKET_SIZE", "must be a string, not a list"),
        ({"BASKET_SIZE": {}}, "BASKET_SIZE", "must be a string, not an object"),
        ({"BASKET_SIZE": " "}, "BASKET_SIZE", "must not be empty"),
        ({"BASKET_SIZE": "x" * 65}, "BASKET_SIZE", "must have at most 64 bytes, not 65"),
        ({"spend": 1}, "spend", "is not a field: expected BASKET_SIZE, BASKET_TYPE"),
        ({"y" * 100: 1}, "y" * 64 + "...", "is not a field"),
    ],
)
def test_a_wrong_field_is_named(client, row, change, field, message):
    answer = client.post("/predict", json=row | change)
    assert answer.status_code == 422
    assert list(fields(answer)) == [field]
    assert fields(answer)[field].startswith(message)


def test_all_mistakes_at_once(client, row):
    del row["SPEND"], row["BASKET_TYPE"]
    answer = client.post("/predict", json=row | {"QUANTITY": -1, "x": 1})
    assert set(fields(answer)) == {"SPEND", "BASKET_TYPE", "QUANTITY", "x"}
    assert fields(answer)["SPEND"] == "is missing"


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ('{"SPEND": NaN}', 400, "NaN is no JSON"),
        ("[" * 100_000, 413, "at most 16384 bytes"),
        ("[" * 10_000, 400, "not JSON"),
        ("[]", 422, "must be an object with the fields"),
        ('"x"', 422, "must be an object"),
        ('{"SPEND": 1e999}', 422, "finite"),
        (b"\xff", 400, "not JSON"),
    ],
)
def test_what_is_no_row(client, body, code, says):
    answer = client.post("/predict", content=body)
    assert answer.status_code == code
    assert says in answer.text


def test_a_field_given_twice(client, row):
    body = json.dumps(row)[:-1] + ', "SPEND": 2}'
    answer = client.post("/predict", content=body)
    assert answer.status_code == 422
    assert fields(answer) == {"SPEND": "is given twice"}


def test_a_batch(client, row):
    answer = client.post("/predict/batch", json=[row, row | {"SPEND": 1.0}])
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 2
    assert answer.json()["model_version"] == "7"
    one = client.post("/predict", json=row).json()
    assert answer.json()["predictions"][0]["class"] == one["class"]


def test_a_wrong_batch(client, row):
    answer = client.post("/predict/batch", json=[row, row | {"SPEND": -1}, 3])
    assert answer.status_code == 422
    assert [(e["index"], e.get("field")) for e in answer.json()["errors"]] == [(1, "SPEND"), (2, None)]
    for body in ([], {}, [row] * 1001):
        assert client.post("/predict/batch", json=body).status_code == 422
    many = client.post("/predict/batch", json=[{}] * 500)
    assert len(many.json()["errors"]) == 100


def test_an_unknown_category_is_counted(client, row):
    assert client.post("/predict", json=row | {"STORE_REGION": "Z99"}).status_code == 200
    text = client.get("/metrics").text
    assert 'retail_unknown_categories_total{field="STORE_REGION"} 1.0' in text
    assert 'retail_http_requests_total{code="200",path="/predict"} 1.0' in text
    assert 'retail_info{model_version="7",release="r-0123456789ab"} 1.0' in text
    assert 'retail_http_request_duration_seconds_count{path="/predict"} 1.0' in text


def test_model_info_and_metrics(client, trained):
    info = client.get("/model/info").json()
    assert info["version"] == "7"
    assert info["digest"] == model.load(trained).digest
    assert [f["name"] for f in info["features"]][-2:] == ["SPEND", "QUANTITY"]
    assert "E02" in info["features"][2]["levels"]
    assert client.get("/model/metrics").content == (trained / "metrics.json").read_bytes()


def test_metrics_of_another_model_are_not_shown(trained, tmp_path, settings):
    write(tmp_path / "model.onnx", (trained / "model.onnx").read_bytes())
    settings = dataclasses.replace(settings, model_path=str(tmp_path))
    client = TestClient(create(prepare(settings)))
    assert "was not evaluated" in client.get("/model/metrics").text
    write(tmp_path / "metrics.json", b'{"source": {"model_digest": "sha256:0"}}')
    answer = TestClient(create(prepare(settings))).get("/model/metrics")
    assert answer.status_code == 404
    assert "not of this one" in answer.text
    write(tmp_path / "metrics.json", b"{")
    with pytest.raises(model.ModelError, match="corrupt"):
        prepare(settings)


def test_strange_requests_have_the_same_shape(client):
    answer = client.get("/nothing?token=secret")
    assert (answer.status_code, answer.json()) == (404, {"errors": [{"message": "there is nothing here: see /docs"}]})
    answer = client.get("/predict")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert "use POST" in answer.text


def test_draining_is_told(settings):
    state = prepare(settings)
    client = TestClient(create(state))
    assert client.get("/ready").status_code == 200
    state.draining = True
    answer = client.get("/ready")
    assert (answer.status_code, answer.headers["connection"]) == (503, "close")
    assert client.get("/health").status_code == 200


def test_a_slow_prediction_answers_500(settings, row):
    client = TestClient(create(prepare(dataclasses.replace(settings, predict_budget=0.0))))
    answer = client.post("/predict", json=row)
    assert answer.status_code == 500
    assert "took longer than 0s" in answer.text


def test_a_bug_answers_500_without_its_words(settings, row, caplog):
    state = prepare(settings)
    state.model = None
    client = TestClient(create(state), raise_server_exceptions=False)
    answer = client.post("/predict", json=row)
    assert (answer.status_code, answer.json()) == (500, {"errors": [{"message": "internal error"}]})
    assert "request failed" in caplog.text


def test_the_log_has_no_bodies(client, row, caplog):
    caplog.set_level(logging.INFO)
    client.post("/predict?key=hidden", json=row | {"STORE_REGION": "Z98"})
    client.get("/health")
    lines = [r for r in caplog.records if r.name == "retail" and r.getMessage() == "request"]
    assert [r.fields["path"] for r in lines] == ["/predict"]
    assert "Z98" not in caplog.text
    assert "hidden" not in str([r.fields for r in lines])


def test_documentation_lists_the_routes(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/predict", "/predict/batch", "/health", "/ready", "/model/info", "/model/metrics", "/metrics"} <= set(paths)
    assert "BASKET_SIZE" in json.dumps(paths["/predict"]["post"]["requestBody"])
    assert client.get("/docs").status_code == 200


def test_settings():
    assert parse({"MODEL_PATH": "/model"}) == Settings(model_path="/model")
    env = {"MODEL_PATH": "/m", "PORT": "0", "DRAIN_DELAY": "500ms", "MODEL_VERSION": "3", "SLIPWAY_RELEASE": "r-1"}
    assert parse(env) == Settings(model_path="/m", port=0, drain_delay=0.5, model_version="3", release="r-1")
    assert parse({"MODEL_PATH": "/m", "DRAIN_DELAY": "0s"}).drain_delay == 0


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "MODEL_PATH is not set"),
        ({"MODEL_PATH": "/m", "PORT": "x"}, "PORT is 'x'"),
        ({"MODEL_PATH": "/m", "PORT": "70000"}, "PORT is '70000'"),
        ({"MODEL_PATH": "/m", "DRAIN_DELAY": "5"}, "DRAIN_DELAY is '5'"),
        ({"MODEL_PATH": "/m", "DRAIN_DELAY": "-1s"}, "DRAIN_DELAY is '-1s'"),
    ],
)
def test_wrong_settings(env, says):
    with pytest.raises(SettingsError, match=says):
        parse(env)
