"""Serves predictions over HTTP: `python -m server`.

Environment: MODEL_PATH (folder with model.onnx and metrics.json, required), PORT
(8000), MODEL_VERSION and SLIPWAY_RELEASE (shown by /health), DRAIN_DELAY (0s: how
long to keep answering after SIGTERM turned /ready to 503).

It writes no file and needs none but the model, so that any user and a read-only root
will do.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator

import uvicorn
from prometheus_client import disable_created_metrics

from retail.model import ModelError
from server.app import State, create, prepare
from server.settings import SettingsError, parse
from server.watch import Lines

log = logging.getLogger("retail")


class Server(uvicorn.Server):
    """A server that drains before it stops."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.state = state

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT for as long as this serves; a second one ends it at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        if self.state.draining:
            self.should_exit = self.force_exit = True
            return
        settings = self.state.settings
        self.state.draining = True
        log.info("draining", extra={"fields": {"delay": settings.drain_delay, "limit": settings.drain_limit}})
        asyncio.get_running_loop().call_later(settings.drain_delay, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def main() -> int:
    """Serve until SIGTERM; the exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    disable_created_metrics()
    try:
        state = prepare(parse(os.environ))
    except (SettingsError, ModelError) as trouble:
        print("server: refusing to start:", trouble, file=sys.stderr)
        return 1
    settings = state.settings
    config = uvicorn.Config(
        create(state),
        host="0.0.0.0",  # noqa: S104 - a container's only address
        port=settings.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=settings.drain_limit,
        lifespan="off",
    )
    fields = {"port": settings.port, "release": settings.release, "model_version": settings.model_version}
    log.info("serving", extra={"fields": fields | {"model_digest": state.model.digest}})
    Server(config, state).run()
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
