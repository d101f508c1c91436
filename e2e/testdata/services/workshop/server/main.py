"""Serves the classes of baskets, on the one port that it knows."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = json.loads(Path(__file__).with_name("model.json").read_text())


def classify(basket):
    """Return the class of a basket."""
    spend = float(basket["SPEND"]) / max(1, int(basket["QUANTITY"]))
    name = next(n for limit, n in MODEL["limits"] if spend <= limit)
    return {"prediction": name, "confidence": MODEL["confidence"]}


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"status": "healthy", "model_loaded": True})
        elif self.path == "/":
            self.answer(200, {"service": "baskets"})
        else:
            self.answer(404, {"detail": "not found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/predict":
            try:
                self.answer(200, classify(json.loads(body)))
            except (KeyError, ValueError) as e:
                self.answer(422, {"detail": str(e)})
        else:
            self.answer(404, {"detail": "not found"})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
