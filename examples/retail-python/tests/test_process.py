"""The server as a process: how it starts, refuses to, and stops."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent


def start(**env: str) -> subprocess.Popen[str]:
    plain = {k: v for k, v in os.environ.items() if k not in ("MODEL_PATH", "PORT", "DRAIN_DELAY")}
    return subprocess.Popen(
        [sys.executable, "-m", "server"], cwd=ROOT, env=plain | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as wrong:
        with wrong:
            return wrong.code
    except OSError:
        return 0


def until(condition, within: float = 20) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_without_a_model_it_does_not_start(tmp_path):
    for env in ({}, {"MODEL_PATH": str(tmp_path)}):
        out, err = (p := start(**env)).communicate(timeout=30)
        assert p.returncode == 1
        assert (out, err.count("\n")) == ("", 1)
        assert "refusing to start" in err


def test_it_drains_and_exits_0(trained):
    port = free_port()
    p = start(MODEL_PATH=str(trained), PORT=str(port), DRAIN_DELAY="1s", MODEL_VERSION="3")
    try:
        assert until(lambda: ask(port, "/ready") == 200)
        p.send_signal(signal.SIGTERM)
        assert until(lambda: ask(port, "/ready") == 503, within=0.9)
        assert ask(port, "/health") == 200
        _, err = p.communicate(timeout=20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            p.kill()
    assert p.returncode == 0
    said = [json.loads(line)["msg"] for line in err.splitlines()]
    assert said[0] == "serving"
    assert said[-1] == "stopped"


def test_a_request_in_flight_is_answered(trained, row):
    port = free_port()
    p = start(MODEL_PATH=str(trained), PORT=str(port), DRAIN_DELAY="0s")
    try:
        assert until(lambda: ask(port, "/ready") == 200)
        body = json.dumps(row).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
            s.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
            stop = threading.Timer(0.3, p.send_signal, [signal.SIGTERM])
            stop.start()
            stop.join()
            assert until(lambda: ask(port, "/health") == 0)
            s.sendall(body[10:])
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        p.communicate(timeout=25)
    finally:
        with contextlib.suppress(ProcessLookupError):
            p.kill()
    assert p.returncode == 0
