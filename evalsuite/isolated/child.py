# The child's side of an isolated adapter: run by another interpreter, which has neither evalsuite nor its
# packages. Standard library only, Python 3.8 or newer. Frames: b"EVS1", length of a JSON object as 4 bytes
# (big endian), the object, then the blobs whose lengths its "blobs" lists. What the adapter prints goes to
# standard error.
import contextlib
import importlib.util
import json
import os
import struct
import sys
import threading
import time
import traceback

PROTOCOL = 1
MAGIC = b"EVS1"


class SampleError(Exception):
    """This request cannot be answered; the others can."""


class UnavailableError(Exception):
    """Nothing more can be answered."""


class Image(bytes):
    """An encoded image (PNG, JPEG …); `name` says where it comes from."""

    name = ""


def own_pipes():
    """Takes the pipes for the frames, so that nothing the adapter prints can get between them."""
    reader = os.fdopen(os.dup(0), "rb", buffering=1 << 20)
    writer = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return reader, writer


class Pipe:
    def __init__(self):
        self.reader, self.writer = own_pipes()
        self.lock = threading.Lock()

    def read(self):
        head = self._exactly(8)
        if head is None:
            return None, []
        if head[:4] != MAGIC:
            raise SystemExit("evalsuite: a frame does not begin as it should")
        value = json.loads(self._exactly(struct.unpack(">I", head[4:])[0]).decode("utf-8"))
        return value, [self._exactly(size) for size in value.get("blobs", ())]

    def write(self, value, blobs=()):
        value = dict(value, blobs=[len(blob) for blob in blobs])
        text = json.dumps(value).encode("utf-8")
        with self.lock:
            for part in (MAGIC + struct.pack(">I", len(text)) + text, *blobs):
                view = memoryview(part)
                while view:
                    view = view[self.writer.write(view) :]

    def _exactly(self, size):
        data = self.reader.read(size)
        if len(data) == size:
            return data
        if not data and size == 8:
            return None
        os._exit(0)  # evalsuite is gone in the middle of a frame


def decoded(request, blobs):
    """A request as adapters see it: blobs in place of their numbers."""
    for message in request["messages"]:
        for part in message["parts"]:
            if "image" in part:
                image = Image(blobs[part["image"]])
                image.name = part.get("name", "")
                part["image"] = image
    return request


def encoded(answer, blobs):
    """An answer for the wire; images are encoded bytes, or PIL images; an exception is a failed request."""
    if isinstance(answer, Exception):
        return {"failed": str(answer)}
    if isinstance(answer, str):
        answer = {"text": answer}
    answer = dict(answer)
    if "images" in answer:
        answer["images"] = [_blob(image, blobs) for image in answer["images"]]
    if "parts" in answer:
        answer["parts"] = [
            {"text": part} if isinstance(part, str) else {"image": _blob(part, blobs)}
            for part in answer["parts"]
        ]
    return answer


def _blob(image, blobs):
    if not isinstance(image, (bytes, bytearray)):
        import io

        stream = io.BytesIO()
        image.save(stream, "PNG")
        image = stream.getvalue()
    blobs.append(bytes(image))
    return len(blobs) - 1


METHODS = {
    "text": "generate_text",
    "choices": "score_choices",
    "image": "generate_images",
    "edit": "generate_images",
    "interleaved": "generate_documents",
}


def load(path, options):
    spec = importlib.util.spec_from_file_location("evalsuite_isolated_adapter", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    module.SampleError, module.UnavailableError = SampleError, UnavailableError
    sys.path.insert(0, os.path.dirname(path))
    spec.loader.exec_module(module)
    return module.load(options)


def kind_of(error):
    if isinstance(error, UnavailableError):
        return "unavailable"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    if isinstance(error, RuntimeError) and "out of memory" in str(error).lower():
        return "memory"
    return "error"


def main():
    pipe = Pipe()
    hello, _ = pipe.read()
    if hello is None:
        return
    done = threading.Event()

    def beat():
        while not done.wait(hello["heartbeat"]):
            try:
                pipe.write({"kind": "heartbeat", "time": time.time()})
            except OSError:
                os._exit(0)

    threading.Thread(target=beat, daemon=True).start()
    try:
        model = load(hello["adapter"], hello["options"])
        about = dict(getattr(model, "info", {}) or {})
        can = [name for name, method in METHODS.items() if callable(getattr(model, method, None))]
        if "capabilities" in about:  # it can less than its methods say
            said = about.pop("capabilities")
            can = [name for name in can if name in said]
        pipe.write({
            "kind": "ready", "protocol": PROTOCOL, "python": sys.version.split()[0], "capabilities": can,
            "name": str(about.pop("name", "")), "fingerprint": str(about.pop("fingerprint", "")),
            "parameters": about.pop("parameters", None), "details": about,
            "versions": versions(hello["packages"]),
        })  # fmt: skip
    except BaseException as error:
        traceback.print_exc()
        pipe.write({"kind": "refused", "error": f"{type(error).__name__}: {error}"})
        return
    while True:
        frame, blobs = pipe.read()
        if frame is None:
            break
        number = frame["number"]
        try:
            batch = [decoded(request, blobs) for request in frame["requests"]]
            answers = list(getattr(model, frame["method"])(batch))
            out = []
            sent = [encoded(answer, out) for answer in answers]
            pipe.write({"kind": "answers", "number": number, "answers": sent}, out)
        except SampleError as error:
            pipe.write({"kind": "failed", "number": number, "what": "error", "error": str(error)})
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            traceback.print_exc()
            release()
            pipe.write({"kind": "failed", "number": number, "what": kind_of(error), "error": text})
    done.set()


def release():
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def versions(packages):
    try:
        from importlib import metadata
    except ImportError:
        return {}
    found = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


if __name__ == "__main__":
    main()
