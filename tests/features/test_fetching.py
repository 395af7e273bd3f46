"""Fetching weights from a real server: only what was published is kept, and every failure says what to do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from evalsuite.cli.app import app
from evalsuite.errors import CheckpointError, EvalsuiteError, SpecError, UnavailableError
from evalsuite.features import catalogue, fetching, weights
from evalsuite.features.catalogue import WeightsFile

CONTENT = bytes(range(256)) * 9000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/gone.pth":
            self.send_error(404, "Not Found")
            return
        body = b"<html>log in first</html>" if self.path == "/portal.pth" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/broken.pth" else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, WeightsFile]]:
    """A catalogue whose files a server on this machine publishes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    names = ("good.pth", "gone.pth", "portal.pth", "broken.pth")
    made = {name: WeightsFile(name, f"{base}/{name}", "2 MB", DIGEST[:8]) for name in names}
    made["nowhere.pth"] = WeightsFile("nowhere.pth", "http://127.0.0.1:9/nowhere.pth", "2 MB")
    for module in (catalogue, fetching, weights):
        monkeypatch.setattr(module, "FILES", made)
    monkeypatch.setattr(fetching, "GROUPS", {"both": ("good.pth", "portal.pth")})
    monkeypatch.setenv("EVALSUITE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    _Handler.asked.clear()
    yield made
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("files")
def test_a_file_is_fetched_once_and_then_found(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = fetching.fetch("good.pth", progress=lambda so_far, total: told.append((so_far, total)))
    assert path == tmp_path / "weights/good.pth"
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert fetching.fetch("good.pth") == path
    assert _Handler.asked == ["/good.pth"]
    assert weights.find_file("good.pth") == path


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("gone.pth", UnavailableError, "answers 404 Not Found"),
        ("portal.pth", CheckpointError, "is not the published portal.pth"),
        ("broken.pth", UnavailableError, "broke off after"),
        ("nowhere.pth", UnavailableError, "cannot be reached"),
    ],
)
def test_what_is_not_the_published_file_is_not_kept(
    name: str, kind: type[EvalsuiteError], said: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said) as error:
        fetching.fetch(name)
    assert error.value.remedy
    assert not list((tmp_path / "weights").iterdir())


@pytest.mark.usefixtures("files")
def test_a_file_that_is_here_but_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/good.pth").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match=r"not the published good\.pth"):
        fetching.fetch("good.pth")


@pytest.mark.usefixtures("files")
def test_groups_stand_for_their_files_and_unknown_names_are_refused() -> None:
    assert fetching.expand(["both", "good.pth", "owner/name"]) == ["good.pth", "portal.pth", "owner/name"]
    with pytest.raises(SpecError, match=r"Did you mean good\.pth"):
        fetching.expand(["god.pth"])


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_the_command_fetches_and_lists(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["weights", "fetch", "good.pth"])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "weights/good.pth") in done.output
    listed = CliRunner().invoke(app, ["weights", "list"]).output.splitlines()
    (row,) = [line for line in listed if line.startswith("good.pth")]
    assert str(tmp_path) in row
    assert next(line for line in listed if line.startswith("gone.pth")).split()[-1] == "no"


def test_without_network_a_repository_is_said_to_be_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        fetching.fetch("openai/clip-vit-base-patch32")


def test_every_known_digest_agrees_with_the_files_name() -> None:
    for file in catalogue.FILES.values():
        if len(file.sha256) == 8:
            assert f"-{file.sha256}.pth" in file.name
        else:
            assert len(file.sha256) in (0, 64)
    assert {name for group in catalogue.GROUPS.values() for name in group} <= set(catalogue.FILES)
