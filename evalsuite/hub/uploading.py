"""A run onto the hub, or into a local folder that looks like it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.durable import new_folder
from evalsuite.errors import DataError, EvalsuiteError, StoreError, UnavailableError, reason_of
from evalsuite.hub.card import eval_results, with_results
from evalsuite.hub.samples import dataset_card, write_samples
from evalsuite.registry import Registry
from evalsuite.store import RunReader

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelCard

MARKER = "evalsuite-push.json"
"""Says that a folder was made by a dry run, and so may be overwritten."""
_MADE = ("model", "dataset", MARKER)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed.

    Args:
        numbers: results in the model card.
        samples: rows of the dataset.
        model, dataset: addresses on the hub, or folders of a dry run; empty where that was not wanted.
    """

    numbers: int
    samples: int
    model: str
    dataset: str


def push(
    run: Path | str,
    repo: str,
    *,
    dataset: str | None = None,
    dry_run: Path | str | None = None,
    prompts: bool = False,
    images: bool = True,
    private: bool = False,
    pull_request: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
    registry: Registry | None = None,
) -> Pushed:
    """Writes a run's numbers into the model card of a repository, and its per-sample results into a dataset.

    The card's text and other results stay; the same numbers measured before are replaced.

    Args:
        run: folder of the run; it must be scored.
        repo: the model's repository, `owner/name`.
        dataset: that of the samples; `REPO-results` by default, empty for none.
        dry_run: a folder: everything is written there and nothing is sent.
        prompts: put prompts and references into the dataset; benchmarks' licences may not allow it.
        images: put generated images into the dataset.
        private: of repositories that are made.
        pull_request: propose the changes instead of committing them.
        token, endpoint: as `huggingface_hub` takes them; by default its own (`HF_TOKEN`, `HF_ENDPOINT`).

    Raises:
        StoreError: it is no run or not scored; `dry_run` holds something else.
        UnavailableError: the hub refuses or cannot be reached.
        DataError: the model's card cannot be read.
    """
    import os

    place = f"{repo}-results" if dataset is None else dataset
    with RunReader(Path(run)) as reader:
        hub = (endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        results = eval_results(reader, f"{hub}/datasets/{place}" if place else f"{hub}/{repo}")
        if not results:
            raise StoreError(f"{run} has no numbers.", f"Finish it, or `evalsuite score {run}`.")
        if dry_run is not None:
            out = Path(dry_run)
            with new_folder(out, _is_ours, what="made by --dry-run", made=_MADE) as folder:
                (folder / "model").mkdir()
                card = with_results(None, repo, results)
                (folder / "model" / "README.md").write_text(str(card), encoding="utf-8")
                rows = _dataset(reader, folder / "dataset", place, prompts, images, registry) if place else 0
                (folder / MARKER).write_text('{"what": "a dry run of evalsuite push"}\n', encoding="utf-8")
            return Pushed(len(results), rows, str(out / "model"), str(out / "dataset") if place else "")
        from huggingface_hub import HfApi

        api = HfApi(endpoint=hub, token=token)
        with _answering(api, repo):
            api.create_repo(repo, private=private, exist_ok=True)
            card = with_results(_card(api, repo), repo, results)
            message = f"evalsuite: {len(results)} results"
            done = api.upload_file(
                path_or_fileobj=str(card).encode(), path_in_repo="README.md", repo_id=repo,
                commit_message=message, create_pr=pull_request,
            )  # fmt: skip
        rows = 0
        if place:
            with tempfile.TemporaryDirectory() as temporary:
                rows = _dataset(reader, Path(temporary), place, prompts, images, registry)
                with _answering(api, place):
                    api.create_repo(place, repo_type="dataset", private=private, exist_ok=True)
                    api.upload_folder(
                        folder_path=temporary, repo_id=place, repo_type="dataset", create_pr=pull_request,
                        commit_message=f"evalsuite: {rows} samples",
                    )  # fmt: skip
    address = str(getattr(done, "pr_url", None) or f"{api.endpoint}/{repo}")
    return Pushed(len(results), rows, address, f"{api.endpoint}/datasets/{place}" if place else "")


def _is_ours(folder: Path) -> bool:
    return (folder / MARKER).is_file()


def _dataset(
    run: RunReader, folder: Path, repo: str, prompts: bool, images: bool, registry: Registry | None
) -> int:
    files = write_samples(run, folder / "data", prompts=prompts, images=images, registry=registry)
    card = dataset_card(run, repo, files, prompts=prompts)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return sum(files.values())


def _card(api: HfApi, repo: str) -> ModelCard | None:
    """The card that the repository has; None where it has none."""
    from huggingface_hub import ModelCard
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    with tempfile.TemporaryDirectory() as folder:
        try:
            file = api.hf_hub_download(repo, "README.md", local_dir=folder)
        except (EntryNotFoundError, RepositoryNotFoundError):
            return None
        text = Path(file).read_text(encoding="utf-8")
    try:
        return ModelCard(text)
    except Exception as error:  # YAML of any kind
        raise DataError(
            f"The model card of {repo} cannot be read ({reason_of(error, 200)}).", "Correct its header."
        ) from error


@contextmanager
def _answering(api: Any, repo: str) -> Iterator[None]:
    """Turns whatever the hub and the way to it do into one error."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except EvalsuiteError:
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        said = (error.server_message or "").strip() or str(error).strip().splitlines()[0]
        remedy = {
            401: "Log in with `hf auth login`, or set HF_TOKEN to a token that may write.",
            403: "Use a token that may write to this repository.",
            404: "Check the name of the repository.",
        }.get(status if isinstance(status, int) else 0, "Try again later; --dry-run writes it to a folder.")
        raise UnavailableError(f"{api.endpoint} refuses {repo} ({status}: {said}).", remedy) from error
    except Exception as error:  # errors of the client's HTTP library, of its validators, of the disk
        raise UnavailableError(
            f"{repo} cannot be pushed to {api.endpoint} ({reason_of(error, 300)}).",
            "Check the name and the connection; --dry-run writes it to a folder.",
        ) from error
