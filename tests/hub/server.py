"""A hub on this machine: the part of its protocol that pushing needs, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """Repositories as files by name; `refuses`: status with which every write is answered."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], dict[str, bytes]] = {}
        self.commits: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.refuses = 0
        self.url = ""


_REPO = r"/api/(models|datasets)/([^/]+/[^/]+)"


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def _send(self, status: int, told: Any = None, **headers: str) -> None:
            body = told if isinstance(told, bytes) else json.dumps(told or {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _file(self) -> None:
            found = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
            if found is None:
                self._send(404, {"error": "no such page"})
                return
            repo = ("datasets" if found[1] else "models", found[2])
            data = hub.files.get(repo, {}).get(found[4])
            if data is None:
                code = "EntryNotFound" if repo in hub.files else "RepoNotFound"
                self._send(404, {"error": code}, X_Error_Code=code)
                return
            digest = hashlib.sha1(data).hexdigest()
            self._send(200, data, ETag=f'"{digest}"', X_Repo_Commit="a" * 40)

        do_HEAD = do_GET = _file

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            hub.tokens.add(self.headers.get("authorization", ""))
            if hub.refuses:
                self._send(
                    hub.refuses, {"error": "you shall not write"}, X_Error_Message="you shall not write"
                )
            elif self.path == "/api/repos/create":
                told = json.loads(body)
                owner = told.get("organization")
                name = f"{owner}/{told['name']}" if owner else told["name"]
                kind = "datasets" if told.get("type") == "dataset" else "models"
                status = 409 if (kind, name) in hub.files else 200
                hub.files.setdefault((kind, name), {})
                self._send(status, {"url": f"{hub.url}/{name}", "name": name, "id": name})
            elif self.path == "/api/validate-yaml":
                self._send(200, {"errors": [], "warnings": []})
            elif re.fullmatch(f"{_REPO}/preupload/.+", self.path):
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                self._send(200, {"files": files})
            elif found := re.fullmatch(rf"{_REPO}/commit/([^?]+)(\?.*)?", self.path):
                self._commit((found[1], found[2]), body, found[4] or "")
            else:
                self._send(404, {"error": f"no such page {self.path}"})

        def _commit(self, repo: tuple[str, str], body: bytes, query: str) -> None:
            for line in body.decode().splitlines():
                one = json.loads(line)
                if one["key"] == "header":
                    hub.commits.append({"repo": repo, "summary": one["value"]["summary"], "query": query})
                elif one["key"] == "file":
                    data = base64.b64decode(one["value"]["content"])
                    hub.files[repo][one["value"]["path"]] = data
            told = {"commitUrl": f"{hub.url}/{repo[1]}/commit/{'b' * 40}", "commitOid": "b" * 40}
            if "create_pr=1" in query:
                told["pullRequestUrl"] = f"{hub.url}/{repo[1]}/discussions/1"
            self._send(200, told)

    return Handler


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
