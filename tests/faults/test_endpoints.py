"""Servers that answer everything but what was asked: the run ends, with a reason, whatever they send."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evalsuite.store import RunReader
from tests.cli.program import here
from tests.data.image_files import encoded
from tests.faults.conftest import Tally
from tests.faults.support import failures, pope


def _http(body: bytes, status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    head = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def _reply(message: Any = None, **changes: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": message or {"role": "assistant", "content": "yes"},
    }
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        **changes,
    }


def _json(value: Any, **more: Any) -> bytes:
    return _http(json.dumps(value).encode(), **more)


def _content(content: Any, **more: Any) -> bytes:
    return _json(_reply({"role": "assistant", "content": content, **more}))


_DEEP = b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

GOOD: dict[str, bytes] = {
    "plain": _json(_reply()),
    "more fields": _json(_reply(usage={"prompt_tokens": 1, "completion_tokens": 1, "more": None}, extra=[1])),
    "usage that is null": _json(_reply(usage=None)),
    "another type of content": _http(json.dumps(_reply()).encode(), kind="text/plain"),
    "gzipped": _http(gzip.compress(json.dumps(_reply()).encode()), Content_Encoding="gzip"),
    "white space": _content("  yes \n"),
    "content in chunks": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    + b"".join(
        f"{len(part):x}\r\n".encode() + part + b"\r\n"
        for part in [json.dumps(_reply()).encode()[:50], json.dumps(_reply()).encode()[50:]]
    )
    + b"0\r\n\r\n",
}
"""Legal replies of "yes"; the number must be right."""

BAD: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20,
    "a head of 1 MB": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n{}",
    "ten thousand heads": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n{}",
    "a status that is none": b"HTTP/1.1 abc\r\n\r\n{}",
    "status 600": b"HTTP/1.1 600 What\r\nContent-Length: 2\r\n\r\n{}",
    "status 204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a body that is cut off": _http(b"{}", Content_Length="500"),
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "gzip that is none": _http(b"{}", Content_Encoding="gzip"),
    "an unknown encoding": _http(b"{}", Content_Encoding="rot13"),
    "an empty body": _http(b""),
    "a page": _http(b"<html>hello</html>", kind="text/html"),
    "half of JSON": _http(json.dumps(_reply()).encode()[:60]),
    "JSON nested deeply": _http(_DEEP),
    "5,000 digits": _http(b'{"created": ' + b"9" * 5000 + b"}"),
    "no UTF-8": _http(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    "null": _json(None),
    "a list": _json([]),
    "a text": _json("yes"),
    "an empty object": _json({}),
    "no choices": _json({"choices": []}),
    "choices that are null": _json({"choices": None}),
    "choices that are a text": _json({"choices": "yes"}),
    "a choice that is null": _json({"choices": [None]}),
    "no message": _json({"choices": [{}]}),
    "a message that is null": _json({"choices": [{"message": None}]}),
    "a message that is a text": _json({"choices": [{"message": "yes"}]}),
    "content that is null": _content(None),
    "content that is a number": _content(1),
    "content that is an object": _content({"a": 1}),
    "content that is a list of nulls": _content([None]),
    "an empty list of content": _content([]),
    "a refusal": _content(None, refusal="I cannot."),
    "a call of a tool": _content(
        None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "a"}}]
    ),
    "an error with status 200": _json({"error": {"message": "overloaded", "type": "server_error"}}),
    "an error that is a text": _json({"error": "no"}, status="400 Bad Request"),
    "an error that is null": _json({"error": None}, status="400 Bad Request"),
    "an error that is a page": _http(
        b"<html>\x1b[2Jerror</html>", status="400 Bad Request", kind="text/html"
    ),
    "a wrong key": _json({"error": {"message": "bad key"}}, status="401 Unauthorized"),
    "no such model": _json({"error": {"message": "no such model"}}, status="404 Not Found"),
    "too long": _json(
        {"error": {"message": "context length", "code": "context_length_exceeded"}}, status="400 Bad"
    ),
    "a redirect to itself": _http(b"", status="302 Found", Location="/v1/chat/completions"),
    "a redirect to a file": _http(b"", status="302 Found", Location="file:///etc/passwd"),
    "a redirect to nowhere": _http(b"", status="307 Temporary Redirect", Location=""),
    "an event stream": _http(b'data: {"choices": []}\n\ndata: [DONE]\n\n', kind="text/event-stream"),
    "answers of one line each": _http(b'{"choices": []}\n{"choices": []}\n'),
}


@contextmanager
def serving(reply: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answers every connection alike."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)

        def one(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.settimeout(5)
                    _take(connection)
                    reply(connection)
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

        def loop() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    continue
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            stop.set()
            thread.join()


def _take(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65536)


def _measure(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    data = pope(tmp_path / "pope", {"0.png": encoded()})
    return here(
        capsys,
        "run",
        "--model",
        "openai:m",
        "--option",
        f"base_url={address}",
        "--option",
        "retries=0",
        "--option",
        "timeout=2",
        "--task",
        "pope-popular",
        "--data",
        data,
        "--out",
        tmp_path / "run",
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", GOOD)
def test_legal_replies_give_the_right_number(
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
) -> None:
    with serving(lambda connection: connection.sendall(GOOD[what])) as address:
        end = _measure(address, tmp_path, capsys, monkeypatch)
    assert end.returncode == 0, end.stderr
    with RunReader(tmp_path / "run") as run:
        assert run.metrics()[0].headline().value == 1.0
    tally("replies of servers", "right number")


_FAST = list(BAD)[::4]


@pytest.mark.slow
@pytest.mark.parametrize("what", [pytest.param(n, marks=() if n in _FAST else pytest.mark.long) for n in BAD])
def test_whatever_a_server_sends_the_run_ends_with_a_reason(
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tally: Tally,
) -> None:
    started = time.monotonic()
    with serving(lambda connection: connection.sendall(BAD[what])) as address:
        end = _measure(address, tmp_path, capsys, monkeypatch)
    assert time.monotonic() - started < 60
    assert end.returncode in (0, 1, 2)
    assert "Traceback" not in end.stderr
    assert "This is a bug" not in end.stderr, end.stderr
    assert "\x1b" not in end.stderr
    if end.returncode == 0:
        tally("replies of servers", "answered")
        return
    if (tmp_path / "run").exists():
        assert all("Traceback" not in reason for reason in failures(tmp_path / "run").values())
    tally("replies of servers", "failed sample" if end.returncode == 1 else "run stopped, exit 2")
