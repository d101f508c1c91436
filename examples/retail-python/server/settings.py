"""What the environment says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# The time in seconds that a request's predictions may take; one that takes longer
# answers 500, so that a model grown too slow shows in the error rate.
PREDICT_BUDGET = 1.0

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class SettingsError(Exception):
    """A variable that is missing or wrong."""


@dataclass(frozen=True)
class Settings:
    """How to serve."""

    model_path: str  # folder with model.onnx, and metrics.json if it was evaluated
    model_version: str = ""  # as registered; shown, not interpreted
    release: str = ""  # as named by the delivery; shown, not interpreted
    port: int = 8000
    drain_delay: float = 0.0  # seconds that requests are still taken after SIGTERM
    drain_limit: int = 20  # seconds for the requests in flight after that
    predict_budget: float = PREDICT_BUDGET


def parse(env: Mapping[str, str]) -> Settings:
    """Read MODEL_PATH (required), MODEL_VERSION, SLIPWAY_RELEASE, PORT and DRAIN_DELAY."""
    path = env.get("MODEL_PATH", "")
    if not path:
        raise SettingsError("MODEL_PATH is not set: it must name the folder that holds model.onnx")
    return Settings(
        model_path=path,
        model_version=env.get("MODEL_VERSION", ""),
        release=env.get("SLIPWAY_RELEASE", ""),
        port=_port(env.get("PORT") or "8000"),
        drain_delay=_seconds("DRAIN_DELAY", env.get("DRAIN_DELAY") or "0s"),
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise SettingsError(f"PORT is {text!r}: it must be a number from 0 to 65535")
    return int(text)


def _seconds(name: str, text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text, re.ASCII)
    if found is None and text != "0":
        raise SettingsError(f"{name} is {text!r}: it must be a duration such as 500ms or 5s")
    return float(found[1]) * _UNITS[found[2]] if found else 0.0
