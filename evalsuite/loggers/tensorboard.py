"""TensorBoard: one folder per series, one event file per run, which is replaced when it is logged again."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from evalsuite.data.images import decode
from evalsuite.loggers.entries import Entry


def open_sink(where: str, project: str) -> TensorBoard:
    """`where`: the log directory; `runs/tensorboard` by default."""
    return TensorBoard(Path(where or "runs/tensorboard"), project)


class TensorBoard:
    """Writes event files with TensorBoard's own writer; needs neither TensorFlow nor torch."""

    def __init__(self, folder: Path, project: str) -> None:
        self._folder = folder / _safe(project)

    def write(self, entry: Entry) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = self._folder / _safe(entry.series)
        mark = f".{hashlib.sha256(str(Path(entry.run).absolute()).encode()).hexdigest()[:12]}"
        older = list(folder.glob(f"events.out.tfevents.*{mark}"))
        writer = EventFileWriter(str(folder), filename_suffix=mark)
        try:
            for event in _events(entry):
                writer.add_event(event)
        finally:
            writer.close()
        for file in older:
            file.unlink(missing_ok=True)

    def close(self) -> None:
        """Every event file is closed already."""


def _events(entry: Entry) -> list[Any]:
    import time

    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    values = [Summary.Value(tag=name, simple_value=value) for name, value in entry.scalars.items()]
    for one in entry.images:
        image = decode(one.image)
        values.append(
            Summary.Value(
                tag=one.key,
                image=Summary.Image(
                    height=image.height, width=image.width, colorspace=3,
                    encoded_image_string=_png(image),
                ),
            )
        )  # fmt: skip
    told = "  \n".join(f"{name}: {value}" for name, value in entry.parameters.items())
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    text = TensorProto(dtype="DT_STRING", string_val=[told.encode()], tensor_shape=TensorShapeProto())
    values.append(Summary.Value(tag="run", metadata=metadata, tensor=text))
    return [Event(wall_time=time.time(), step=entry.step, summary=Summary(value=values))]


def _png(image: Any) -> bytes:
    import io

    stream = io.BytesIO()
    image.convert("RGB").save(stream, "PNG")
    return stream.getvalue()


def _safe(name: str) -> str:
    """A folder's name: series come from folders, but also from users."""
    return re.sub(r"[^\w.=-]+", "-", name).strip(".-") or "run"
