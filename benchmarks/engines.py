"""What an engine costs and gives, on one machine and in one run.

1. `client`: CPU of this process per request, our client against a bare `AsyncOpenAI` loop with as many
   requests on their way, over a server that answers at once. Target: at most 1.3 times. Then the same with
   images of 480 x 360: base64 belongs to the bare loop, and apart stands what ours does besides: each image
   is decoded, so that a damaged one is told before it is sent.
2. `engine`: tokens per second of one checkpoint on the CPU, served (`transformers serve`, and llama.cpp's
   server where it is installed) against the adapter `causal` in this process. The checkpoint is a Llama of
   random weights, or `--checkpoint FOLDER`; `--gguf FILE` for llama.cpp.

    python benchmarks/engines.py [--requests 400] [--part client|engine] [--checkpoint FOLDER] [--gguf FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.endpoint.server import serving

IN_FLIGHT = 8
ROUNDS = 5
TOKENS = 32


def photograph() -> bytes:
    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(0).integers(0, 256, (18, 24, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((480, 360), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def bare(url: str, bodies: list[dict[str, Any]], image: bytes = b"") -> None:
    """`image` is encoded and put in front of each question."""
    from openai import AsyncOpenAI

    async def all_of_them() -> None:
        gate = asyncio.Semaphore(IN_FLIGHT)
        async with AsyncOpenAI(api_key="none", base_url=url) as client:

            async def one(body: dict[str, Any]) -> str:
                async with gate:
                    if image:
                        uri = f"data:image/jpeg;base64,{base64.b64encode(image).decode()}"
                        text = body["messages"][0]["content"]
                        picture = {"type": "image_url", "image_url": {"url": uri}}
                        parts = [picture, {"type": "text", "text": text}]
                        body = {**body, "messages": [{"role": "user", "content": parts}]}
                    made = await client.chat.completions.create(**body)
                    return made.choices[0].message.content or ""

            await asyncio.gather(*map(one, bodies))

    asyncio.run(all_of_them())


def cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def client(count: int) -> None:
    """Rounds of both, in turn, so that a busy machine is as unkind to one as to the other."""
    import openai  # noqa: F401  imports are no part of the figures

    from evalsuite.content import Image, user
    from evalsuite.data.images import decode
    from evalsuite.endpoint import Chat, Endpoint, Server

    data = photograph()
    print(f"{'client':<10}{'requests':>10}{'bare ms':>10}{'decoding':>10}{'ours ms':>10}{'ratio':>8}")
    for name, image in (("text", b""), ("image", data)):
        questions = [f"Question {i}: " + "how many words are in this? " * 8 for i in range(count)]
        chats = [
            Chat((user(Image(image), text) if image else user(text),), max_tokens=16, temperature=0.0)
            for text in questions
        ]
        bodies: list[dict[str, Any]] = [
            {
                "model": "judge", "messages": [{"role": "user", "content": text}], "max_tokens": 16,
                "temperature": 0.0,
            }
            for text in questions
        ]  # fmt: skip
        ours: list[float] = []
        floor: list[float] = []
        decoding: list[float] = []
        with (
            tempfile.TemporaryDirectory() as folder,
            serving(Path(folder)) as local,
            Endpoint(Server(local.url, "judge", in_flight=IN_FLIGHT)) as endpoint,
        ):
            endpoint.map(chats[:20])
            bare(local.url, bodies[:20], image)
            for _ in range(ROUNDS):
                floor.append(cpu(partial(bare, local.url, bodies, image)))
                ours.append(cpu(partial(endpoint.map, chats)))
                decoding.append(cpu(lambda: [decode(Image(data)) for _ in range(count)]) if image else 0.0)
        ratio = statistics.median(
            mine / (other + more) for mine, other, more in zip(ours, floor, decoding, strict=True)
        )
        each = [statistics.median(found) / count * 1000 for found in (floor, decoding, ours)]
        print(
            f"{name:<10}{count:>10}{each[0]:>10.2f}{each[1]:>10.2f}{each[2]:>10.2f}{ratio:>8.2f}", flush=True
        )


def engine(count: int, checkpoint: Path | None, gguf: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = checkpoint or random_llama(Path(folder) / "llama")
        candidates = [f"causal:{made}"]
        if find_spec("fastapi") is not None:
            candidates += [f"transformers-serve:{made}"]
        if find_spec("llama_cpp") is not None and gguf is not None:
            candidates += [f"llama-cpp:{gguf}"]
        print(f"{'engine':<40}{'ready s':>9}{'tokens':>8}{'seconds':>9}{'tokens/s':>10}{'of causal':>11}")
        first = 0.0
        for name in candidates:
            options = (
                {"template": "chat"} if name.startswith("causal") else {"in_flight": "8", "retries": "0"}
            )
            ready, tokens, seconds = generate(name, count, options)
            rate = tokens / seconds
            first = first or rate
            kind = name.partition(":")[0]
            shown = f"{kind:<40}{ready:>9.1f}{tokens:>8}{seconds:>9.1f}{rate:>10.1f}{rate / first:>11.2f}"
            print(shown, flush=True)


def generate(name: str, count: int, options: dict[str, str]) -> tuple[float, int, float]:
    """Seconds until it was ready, tokens, seconds of `count` answers in one batch."""
    from evalsuite.content import user
    from evalsuite.model import ModelOptions
    from evalsuite.registry import load_registry
    from evalsuite.request import GenerateText, Request, TextResponse

    entry, argument = load_registry().model(name)
    started = time.monotonic()
    model: Any = entry.build(ModelOptions(argument, device="auto", options=options))
    ready = time.monotonic() - started
    output = GenerateText(max_new_tokens=TOKENS)
    batch = [
        model.prepare(Request((user(f"Tell me a story about the number {i}."),), output))
        for i in range(count)
    ]
    model.generate_text(batch[:1])
    started = time.monotonic()
    answers = model.generate_text(batch)
    seconds = time.monotonic() - started
    tokens = sum(answer.tokens or 0 for answer in answers if isinstance(answer, TextResponse))
    del model
    return ready, tokens, seconds


def random_llama(folder: Path) -> Path:
    """3 million parameters, a token per byte."""
    import transformers

    from tests.baselines.tiny import lively, llama

    _, words = llama()
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    lively(transformers.LlamaForCausalLM(config)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--part", choices=("client", "engine"))
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--gguf", type=Path)
    given = parser.parse_args()
    if given.part != "engine":
        client(given.requests)
    if given.part != "client":
        engine(max(1, given.requests // 25), given.checkpoint, given.gguf)


if __name__ == "__main__":
    main()
