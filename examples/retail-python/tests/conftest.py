import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retail import model
from server.app import create, prepare
from server.settings import Settings
from training import data, evaluate, train
from training.files import write
from training.generate import generate

ROWS = 3000


@pytest.fixture(scope="session")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "transactions.csv"
    write(path, generate(ROWS, 1).encode())
    return path


@pytest.fixture(scope="session")
def table(csv_file: Path) -> data.Table:
    return data.read(csv_file)


@pytest.fixture(scope="session")
def trained(table: data.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and its metrics."""
    folder = tmp_path_factory.mktemp("model")
    write(folder / model.FILE_NAME, train.fit(table))
    metrics = evaluate.measure(model.load(folder), table)
    write(folder / model.METRICS_NAME, json.dumps(metrics).encode())
    return folder


@pytest.fixture
def settings(trained: Path) -> Settings:
    return Settings(model_path=str(trained), model_version="7", release="r-0123456789ab")


@pytest.fixture
def client(settings: Settings) -> TestClient:
    return TestClient(create(prepare(settings)), raise_server_exceptions=False)


@pytest.fixture
def row() -> dict[str, object]:
    return {
        "BASKET_SIZE": "L",
        "BASKET_TYPE": "Full Shop",
        "STORE_REGION": "E02",
        "STORE_FORMAT": "LS",
        "SPEND": 12.5,
        "QUANTITY": 3,
        "PROD_CODE_20": "DEP00001",
        "PROD_CODE_30": "G00001",
    }
