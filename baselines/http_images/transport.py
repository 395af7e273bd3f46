"""HTTP with bounds: replies of limited length, no redirect with a key to another host, errors with status."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from evalsuite.errors import SampleError

_CHUNK = 2**20


class StatusError(Exception):
    """A status of 400 or more; `evalsuite.model.http_fault` reads it off."""

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        super().__init__(text[:300] or f"status {status}")
        self.status_code = status
        self.headers = dict(headers)
        self.response = _Response(text)


class _Response:
    def __init__(self, text: str) -> None:
        self.text = text


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects within a host only where the request carries headers of the user's (a key)."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise SampleError(f"The service redirects to {newurl[:100]}, which is no web page.")
        keyed = req.has_header("Authorization") or any("key" in name.lower() for name in req.headers)
        host = urlsplit(newurl).netloc
        if keyed and host != urlsplit(req.full_url).netloc:
            raise SampleError(f"The service redirects to another host ({host}), which must not get the key.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_SameHost())


def fetch(
    url: str, *, headers: Mapping[str, str], timeout: float | None, most: float, body: Any = None,
    form: tuple[str, bytes, str] | None = None,
) -> bytes:  # fmt: skip
    """The body of a reply.

    Args:
        body: sent as JSON; with None and no `form` it is a GET.
        form: field, data and media type of a file that is sent as a form.
        timeout: seconds without a byte.
        most: MiB of the reply.

    Raises:
        StatusError: a status of 400 or more.
        SampleError: the address is none of the web, or the reply is longer than `most`.
        OSError: the connection.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise SampleError(f"The address {url[:100]!r} is no address of the web (http, https).")
    sent, data = dict(headers), None
    if form is not None:
        data, sent["Content-Type"] = _form(*form)
    elif body is not None:
        data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data=data, headers=sent)
    try:
        with _opener.open(request, timeout=timeout) as reply:
            return _bounded(reply, most)
    except urllib.error.HTTPError as error:
        with error:
            headers = cast("Mapping[str, str]", error.headers)  # which finds names in any case
            raise StatusError(error.code, headers, error.read(4096).decode("utf-8", "replace")) from error


def fetch_json(url: str, **more: Any) -> Any:
    """As `fetch`, read as JSON. Raises SampleError where the reply is something else."""
    text = fetch(url, **more)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SampleError(f"The reply is not JSON: {text[:100]!r}") from error


def _bounded(reply: Any, most: float) -> bytes:
    limit = int(most * 2**20)
    found = bytearray()
    while chunk := reply.read(min(_CHUNK, limit + 1 - len(found))):
        found += chunk
        if len(found) > limit:
            raise SampleError(
                f"The reply is longer than {most:g} MiB; nothing of it is used.",
                "Raise --option max_reply=….",
            )
    return bytes(found)


def _form(field: str, data: bytes, kind: str) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    name = f"source-{boundary[:12]}.{kind.rpartition('/')[2]}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return (
        head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )
