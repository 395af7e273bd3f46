"""Runs on the Hugging Face Hub: a model card's `model-index`, and a dataset of per-sample results.

* `card`: numbers as `huggingface_hub.EvalResult`, into a card that may hold others;
* `samples`: per-sample results as Parquet files with a dataset card;
* `push`: both into a local folder or onto a hub.
"""

from evalsuite.hub.uploading import Pushed, push

__all__ = ["Pushed", "push"]
