"""Counters for Prometheus, in a registry of their own."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector, generate_latest

from retail.model import Prediction
from retail.names import CATEGORIES, CLASSES

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Telemetry:
    """What is counted."""

    def __init__(self, release: str, model_version: str) -> None:
        self.registry = r = CollectorRegistry()
        ProcessCollector(registry=r)
        PlatformCollector(registry=r)
        self._requests = Counter("retail_http_requests_total", "Requests answered.", ["path", "code"], registry=r)
        self._latency = Histogram(
            "retail_http_request_duration_seconds", "Time to answer a request.", ["path"], buckets=BUCKETS, registry=r
        )
        predictions = Counter("retail_predictions_total", "Rows predicted.", ["class"], registry=r)
        self._predictions = {label: predictions.labels(label) for label in CLASSES}
        unknown = Counter(
            "retail_unknown_categories_total",
            "Values predicted on that training had not seen: drift, when it grows.",
            ["field"],
            registry=r,
        )
        self._unknown = [unknown.labels(name) for name in CATEGORIES]
        info = Gauge("retail_info", "Always 1: its labels say what serves.", ["release", "model_version"], registry=r)
        info.labels(release, model_version).set(1)

    def answered(self, path: str, code: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(path, str(code)).inc()
        self._latency.labels(path).observe(seconds)

    def predicted(self, predictions: Iterable[Prediction]) -> None:
        """Count rows, and what was strange about them."""
        for p in predictions:
            self._predictions[p.label].inc()
            if any(p.unknown):
                for counter, strange in zip(self._unknown, p.unknown, strict=True):
                    if strange:
                        counter.inc()

    def text(self) -> bytes:
        """Everything counted, in Prometheus's form."""
        return generate_latest(self.registry)
