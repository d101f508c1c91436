"""Around every request: its limits, its counters and its line in the log."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.telemetry import Telemetry

log = logging.getLogger("retail")

# Asked all the time by machines: their good answers are not worth a line.
QUIET = frozenset({"/health", "/ready", "/metrics"})


class Watch:
    """ASGI middleware. It logs what was asked and how it ended, never a body or a query."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, paths: frozenset[str], draining: Callable[[], bool]) -> None:
        self.app = app
        self.telemetry = telemetry
        self.paths = paths
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        code = 0

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
                if self.draining():  # so that clients with open connections move on too
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("request failed")
            if code == 0:
                answer = JSONResponse({"errors": [{"message": "internal error"}]}, status_code=500)
                await answer(scope, receive, watched)
        finally:
            # One name for all else, so that scanners can't add time series.
            path = scope["path"] if scope["path"] in self.paths else "other"
            took = time.perf_counter() - start
            self.telemetry.answered(path, code, took)
            if not (path in QUIET and code < 400):
                fields = {"method": scope["method"], "path": path, "code": code, "ms": round(took * 1000, 3)}
                log.info("request", extra={"fields": fields})


class Lines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of one record, with what `fields` adds to it."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "msg": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line)
