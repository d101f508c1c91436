"""What requests and answers look like, and what is wrong with a request."""

import json
import math
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from retail.features import Features
from retail.names import CATEGORIES, FEATURES

MOST_BODY = 16 << 10  # bytes of a /predict request
MOST_BATCH_BODY = 1 << 20  # bytes of a /predict/batch request
MOST_ROWS = 1000  # of a /predict/batch request
MOST_PROBLEMS = 100  # a large request full of mistakes gets a small answer
MOST_TEXT = 64  # bytes of a category; the data's longest has 10
MOST_NUMBER = 1e6  # far above any till row, far below overflow


def _category(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("category", "must not be empty")
    if (size := len(text.encode("utf-8", "surrogatepass"))) > MOST_TEXT:
        raise PydanticCustomError("category", "must have at most {most} bytes, not {size}", {"most": MOST_TEXT, "size": size})
    return text


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise PydanticCustomError("number", "must be a finite number")
    if value < 0:
        raise PydanticCustomError("number", "must not be negative")
    if value > MOST_NUMBER:
        raise PydanticCustomError("number", "must be at most {most}", {"most": int(MOST_NUMBER)})
    return value


def _count(value: float) -> float:
    if value < 1 or not value.is_integer():
        raise PydanticCustomError("count", "must be a whole number of at least 1")
    return value


Category = Annotated[StrictStr, AfterValidator(_category), Field(json_schema_extra={"maxLength": MOST_TEXT, "minLength": 1})]
Number = Annotated[float, Field(strict=True, json_schema_extra={"minimum": 0, "maximum": MOST_NUMBER}), AfterValidator(_number)]
Count = Annotated[Number, AfterValidator(_count), Field(json_schema_extra={"minimum": 1, "multipleOf": 1})]


class Row(BaseModel):
    """One till row to predict on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "BASKET_SIZE": "M",
                "BASKET_TYPE": "Top Up",
                "STORE_REGION": "S02",
                "STORE_FORMAT": "LS",
                "SPEND": 6.4,
                "QUANTITY": 2,
                "PROD_CODE_20": "DEP00011",
                "PROD_CODE_30": "G00011",
            }
        },
    )

    BASKET_SIZE: Category
    BASKET_TYPE: Category
    STORE_REGION: Category
    STORE_FORMAT: Category
    PROD_CODE_20: Category
    PROD_CODE_30: Category
    SPEND: Number
    QUANTITY: Count

    def features(self) -> Features:
        """The row as the model takes it."""
        return Features(tuple(getattr(self, name) for name in CATEGORIES), self.SPEND, self.QUANTITY)


class Probabilities(BaseModel):
    """Chances; they add up to 1."""

    LA: float
    MM: float
    UM: float


class Prediction(BaseModel):
    """The answer for one row."""

    class_: str = Field(alias="class", examples=["UM"])
    probabilities: Probabilities


class Predicted(Prediction):
    """The answer of /predict."""

    model_config = ConfigDict(protected_namespaces=())
    model_version: str


class BatchPredicted(BaseModel):
    """The answer of /predict/batch, in the order of the request."""

    model_config = ConfigDict(protected_namespaces=())
    predictions: list[Prediction]
    model_version: str


class Problem(BaseModel):
    """One thing wrong with a request."""

    index: int | None = Field(None, description="row of a batch, from 0")
    field: str | None = Field(None, description="absent when it is about the request as a whole")
    message: str


class Problems(BaseModel):
    """The shape of every answer that is an error."""

    errors: list[Problem]


class RequestError(Exception):
    """A request that can't be answered, with everything that is wrong with it."""

    def __init__(self, code: int, problems: list[dict[str, Any]], headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.headers = headers


_ROW = TypeAdapter(Row)


class _Object(dict[str, Any]):
    """A JSON object that knows which names stood in it twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names: set[str] = set()
        self.twice = [name for name, _ in pairs if name in names or names.add(name)]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def value_of(body: bytes) -> Any:
    """The JSON value that a body is."""
    try:
        return json.loads(body, object_pairs_hook=_Object, parse_constant=_no_constant)
    except (ValueError, RecursionError) as trouble:
        raise RequestError(400, [{"message": f"the body is not JSON: {trouble}"}]) from trouble


def row_of(value: Any) -> Features:
    """The row that a JSON value is."""
    row, problems = _row(value)
    if row is None:
        raise RequestError(422, problems)
    return row


def rows_of(value: Any) -> list[Features]:
    """The rows that a JSON value is."""
    if not isinstance(value, list):
        raise RequestError(422, [{"message": f"must be a list of 1 to {MOST_ROWS} rows"}])
    if not 1 <= len(value) <= MOST_ROWS:
        raise RequestError(422, [{"message": f"must be a list of 1 to {MOST_ROWS} rows, not {len(value)}"}])
    rows: list[Features] = []
    problems: list[dict[str, Any]] = []
    for i, one in enumerate(value):
        row, wrong = _row(one)
        problems += ({"index": i} | p for p in wrong)
        if len(problems) >= MOST_PROBLEMS:
            break
        if row is not None:
            rows.append(row)
    if problems:
        raise RequestError(422, problems[:MOST_PROBLEMS])
    return rows


def _row(value: Any) -> tuple[Features | None, list[dict[str, Any]]]:
    if not isinstance(value, dict):
        return None, [{"message": "must be an object with the fields " + ", ".join(FEATURES)}]
    problems = [{"field": _shorten(name), "message": "is given twice"} for name in getattr(value, "twice", [])]
    try:
        row = _ROW.validate_python(value).features()
    except ValidationError as wrong:
        problems += (_problem(error) for error in wrong.errors(include_url=False, include_context=False))
    if problems:
        return None, problems[:MOST_PROBLEMS]
    return row, []


def _problem(error: Any) -> dict[str, Any]:
    name = str(error["loc"][0]) if error["loc"] else ""
    match error["type"]:
        case "missing":
            message = "is missing"
        case "extra_forbidden":
            message = "is not a field: expected " + ", ".join(FEATURES)
        case "string_type":
            message = "must be a string, not " + _kind(error["input"])
        case "float_type":
            message = "must be a number, not " + _kind(error["input"])
        case _:
            message = error["msg"]
    return {"field": _shorten(name), "message": message}


def _kind(value: Any) -> str:
    names = {str: "a string", dict: "an object", _Object: "an object", list: "a list", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _shorten(name: str) -> str:
    """Keeps a caller's own words short where an error repeats them."""
    raw = name.encode("utf-8", "replace")
    return raw.decode() if len(raw) <= MOST_TEXT else raw[:MOST_TEXT].decode("utf-8", "ignore") + "..."
