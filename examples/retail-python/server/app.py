"""The routes."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from retail.features import Features
from retail.model import FORMAT, METRICS_NAME, Model, ModelError, Prediction, load
from retail.names import CATEGORIES, CLASSES, TARGET
from server.schema import (
    MOST_BATCH_BODY,
    MOST_BODY,
    MOST_ROWS,
    BatchPredicted,
    Predicted,
    Problems,
    RequestError,
    Row,
    row_of,
    rows_of,
    value_of,
)
from server.settings import Settings
from server.telemetry import CONTENT_TYPE, Telemetry
from server.watch import Watch

log = logging.getLogger("retail")


@dataclass
class State:
    """What the routes answer from."""

    settings: Settings
    model: Model
    metrics: bytes | None  # metrics.json as the evaluation wrote it
    absent: str  # or why there is none to show
    telemetry: Telemetry
    draining: bool = field(default=False)


def prepare(settings: Settings) -> State:
    """Load the model, or raise: no answer at all is better than one from a stand-in."""
    model = load(settings.model_path)
    metrics, absent = _metrics(Path(settings.model_path) / METRICS_NAME, model.digest)
    if absent:
        log.warning("no metrics to show: %s", absent)
    telemetry = Telemetry(settings.release, settings.model_version)
    return State(settings, model, metrics, absent, telemetry)


def _metrics(path: Path, model_digest: str) -> tuple[bytes | None, str]:
    """The metrics beside the model. Those that say they are of another are not shown as this one's."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None, f"there is no {METRICS_NAME} next to the model: this version was not evaluated"
    except OSError as trouble:
        raise ModelError(f"read metrics: {trouble}") from trouble
    try:
        measured = json.loads(text)
    except ValueError as trouble:
        raise ModelError(f"metrics {path}: corrupt ({trouble}): evaluate the model again, or remove the file") from trouble
    source = measured.get("source") if isinstance(measured, dict) else None
    of = source.get("model_digest") if isinstance(source, dict) else None
    if of and of != model_digest:
        return None, f"{METRICS_NAME} is of model {of}, not of this one ({model_digest})"
    return text, ""


def create(state: State) -> Watch:
    """The application, with everything around it."""
    app = FastAPI(
        title="Retail",
        version="1",
        description="Predicts BASKET_PRICE_SENSITIVITY of the basket that a till row belongs to.",
        redoc_url=None,
    )
    _refusals(app)
    _predictions(app, state)
    _views(app, state)
    paths = frozenset(route.path for route in app.routes)  # type: ignore[attr-defined]
    return Watch(app, state.telemetry, paths, lambda: state.draining)


def _refusals(app: FastAPI) -> None:
    @app.exception_handler(RequestError)
    async def bad(_: Request, wrong: RequestError) -> Response:
        return refuse(wrong.code, wrong.problems, wrong.headers)

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:
        return refuse(500, [{"message": "internal error"}])  # and it is raised on, to be logged

    @app.exception_handler(HTTPException)
    async def other(request: Request, wrong: HTTPException) -> Response:
        message = str(wrong.detail)
        if wrong.status_code == 404:
            message = "there is nothing here: see /docs"
        elif wrong.status_code == 405:
            allowed = (wrong.headers or {}).get("Allow", "another method")
            message = f"{request.method[:64]} {request.url.path} is not possible: use {allowed}"
        return refuse(wrong.status_code, [{"message": message}], dict(wrong.headers or {}))


def refuse(code: int, problems: Sequence[dict[str, Any]], headers: dict[str, str] | None = None) -> Response:
    """An answer with everything that is wrong, in the one shape that all errors have."""
    return JSONResponse({"errors": list(problems)}, status_code=code, headers=headers)


def _body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI says about a body that is read by hand."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _predictions(app: FastAPI, state: State) -> None:
    wrong: dict[int | str, dict[str, Any]] = {code: {"model": Problems} for code in (400, 413, 422, 500)}
    row = Row.model_json_schema()

    @app.post("/predict", response_model=Predicted, responses=wrong, openapi_extra=_body_of(row))
    async def predict(request: Request) -> Response:
        """The class of one row, and the chance of each."""
        features = row_of(value_of(await body(request, MOST_BODY)))
        (one,) = _timed(state, [features])
        return JSONResponse(_shown(one) | {"model_version": state.settings.model_version})

    batch = {"type": "array", "items": row, "minItems": 1, "maxItems": MOST_ROWS}

    @app.post("/predict/batch", response_model=BatchPredicted, responses=wrong, openapi_extra=_body_of(batch))
    async def predict_batch(request: Request) -> Response:
        """The same for a list of rows."""
        rows = rows_of(value_of(await body(request, MOST_BATCH_BODY)))
        answers = [_shown(p) for p in _timed(state, rows)]
        return JSONResponse({"predictions": answers, "model_version": state.settings.model_version})


async def body(request: Request, most: int) -> bytes:
    """A body of at most that many bytes; the rest of a longer one is not read."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > most:
            raise RequestError(413, [{"message": f"the body must have at most {most} bytes"}], {"Connection": "close"})
    return bytes(read)


def _timed(state: State, rows: list[Features]) -> list[Prediction]:
    start = time.perf_counter()
    predictions = state.model.predict(rows)
    state.telemetry.predicted(predictions)
    budget = state.settings.predict_budget
    if (took := time.perf_counter() - start) > budget:
        log.error("prediction over budget", extra={"fields": {"took": took, "budget": budget}})
        raise RequestError(500, [{"message": f"the prediction took longer than {budget:g}s"}])
    return predictions


def _shown(p: Prediction) -> dict[str, Any]:
    return {"class": p.label, "probabilities": dict(zip(CLASSES, p.chances, strict=True))}


def _views(app: FastAPI, state: State) -> None:
    settings = state.settings

    def view(path: str) -> Any:
        def add(answer: Any) -> Any:
            app.add_api_route(path, answer, methods=["HEAD"], include_in_schema=False)
            return app.get(path)(answer)

        return add

    @view("/health")
    async def health() -> Response:
        """What serves."""
        return JSONResponse({"status": "ok", "release": settings.release, "model_version": settings.model_version})

    @view("/ready")
    async def ready() -> Response:
        """Whether to send requests here. There is no server without a model, so only draining makes it unready."""
        if state.draining:
            return refuse(503, [{"message": "shutting down"}])
        return JSONResponse({"status": "ready"})

    @view("/model/info")
    async def model_info() -> Response:
        """What the model is."""
        features: list[dict[str, Any]] = [{"name": n, "type": "category", "levels": state.model.levels[n]} for n in CATEGORIES]
        features += ({"name": name, "type": "number"} for name in ("SPEND", "QUANTITY"))
        about = {"format": FORMAT, "version": settings.model_version, "digest": state.model.digest}
        about |= {"target": TARGET, "classes": list(CLASSES), "features": features, "training": state.model.training}
        return JSONResponse(about)

    @view("/model/metrics")
    async def model_metrics() -> Response:
        """The metrics.json of its evaluation, unchanged."""
        if state.metrics is None:
            return refuse(404, [{"message": state.absent}])
        return Response(state.metrics, media_type="application/json")

    @view("/metrics")
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(state.telemetry.text(), headers={"Content-Type": CONTENT_TYPE})
