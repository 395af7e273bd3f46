# An adapter as somebody writes it for another environment: no import of evalsuite, no types, Python 3.8.
import hashlib
import os
import signal
import struct
import sys
import time
import zlib

print("this goes to standard error, not between the frames")


def png(seed):
    """An 8 x 8 image of one colour."""
    colour = bytes([seed % 256, seed // 256 % 256, 7])
    raw = b"".join(b"\0" + colour * 8 for _ in range(8))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )


def text_of(request):
    return " ".join(part["text"] for part in request["messages"][-1]["parts"] if "text" in part)


def images_of(request):
    return [part["image"] for message in request["messages"] for part in message["parts"] if "image" in part]


class Model:
    def __init__(self, options):
        self.options = options
        self.info = {
            "name": "other-python",
            "fingerprint": options.get("weights", ""),
            "parameters": 3,
            "executable": sys.executable,
        }
        if "pids" in options:
            with open(options["pids"], "a") as pids:
                pids.write("%d\n" % os.getpid())

    def generate_text(self, batch):
        print("noise on standard output")
        self._misbehave(batch)
        answers = []
        for request in batch:
            if "refuse" in text_of(request):
                answers.append(SampleError("I refuse"))  # noqa: F821 - given by the child
                continue
            digests = [hashlib.sha256(image).hexdigest()[:8] for image in images_of(request)]
            answers.append({"text": " ".join([text_of(request).upper(), *digests]), "tokens": 2})
        return answers[:-1] if self.options.get("short") else answers

    def score_choices(self, batch):
        return [
            {"log_likelihoods": [-float(len(c)) for c in request["output"]["choices"]]} for request in batch
        ]

    def generate_images(self, batch):
        return [
            {"images": [png(request["seed"] + i) for i in range(request["output"]["count"])]}
            for request in batch
        ]

    def generate_documents(self, batch):
        return [{"parts": ["a story", png(request["seed"]), "the end"]} for request in batch]

    def _misbehave(self, batch):
        die_once(self.options.get("dies_once"))
        for request in batch:
            text = text_of(request)
            if "die" in text:
                os.kill(os.getpid(), signal.SIGKILL)
            if "hang" in text:
                os.kill(os.getpid(), signal.SIGSTOP)
            if "crash" in text:
                raise ValueError("cannot answer")
            if "memory" in text and len(batch) > 1:
                raise RuntimeError("CUDA out of memory. Tried to allocate 1 GiB")
            if "garbage" in text:
                os.write(GARBAGE, b"x" * 100)
            if "gone" in text:
                raise UnavailableError("the quota is used up")  # noqa: F821 - given by the child


GARBAGE = (
    max(int(name) for name in os.listdir("/proc/self/fd") if name.isdigit() and int(name) < 20)
    if os.path.isdir("/proc/self/fd")
    else 1
)


def die_once(mark):
    """Ends this process unless an earlier one left the mark; always where there is none to leave."""
    if mark == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if mark and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)


def load(options):
    die_once(options.get("dies_loading"))
    if "missing" in options:
        import a_package_that_is_not_here  # noqa: F401
    if "slow" in options:
        time.sleep(float(options["slow"]))
    if "exits" in options:
        os._exit(5)
    return Model(options)
