"""DreamLLM's stages I to III in miniature, and its ablations: what a batch is made of, and what is learnt
from it.

The mechanics are the paper's: frozen eye and image decoder, the freeze table of `dreamllm.training`,
next-token loss
(weight 1) and noise-prediction loss through the frozen UNet (weight 10) at uniform times. Two documented
departures,
because this is trained in minutes: the condition that the queries give is also pulled towards what the
stage-0 text
encoder says of the same image (`align_weight`; the loss through the UNet alone needs hours to find
places), and a share of the prompts to draw from is empty (`drop_prompt`), which guidance needs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from transformers import AutoTokenizer, CLIPModel, CLIPTextModel, LlamaForCausalLM

from ...dreamllm.conversation import VICUNA
from ...dreamllm.embedding import gather
from ...dreamllm.modeling import DreamLLMForCausalLM
from ...dreamllm.tokenization import FastTokenizer, special_tokens
from ...dreamllm.training import IGNORED, set_stage
from ..formats.mmbench import choose
from .caches import load_edits, load_stories, used_rows
from .data import ImageSet, load_images, scene_from_json
from .diffusion import make_unet
from .documents import SHORT, CachedImage, Document, Drawing, Packed, Writer, pack
from .drills import drills, listed
from .language import DESCRIBE, ROW, letters
from .ordering import caption_as_said, caption_of, captions_in_order, says_everything
from .recipe import DreamRecipe, DreamStage, Recipe
from .trainer import Batch, Record, fit

LETTERS = 6
"""Questions with options in a conversation."""
LISTS = 8
"""Lists of options in a document of lists."""
CHOICES = 10
"""Questions in a document of multiple-choice questions."""
FROZEN = ("vision.", "unet.", "vae.")
TRAINED_AT = {
    "joint": {1: "align", 2: "interleaved", 3: "instruction"},
    "comprehension": {1: "comprehension-align", 2: "interleaved", 3: "instruction"},
    "creation": {1: "creation-align", 2: "interleaved", 3: "instruction"},
}
"""Which row of the freeze table each stage uses, by what is learnt."""


def generates(chain: DreamRecipe) -> bool:
    """Whether a chain learns to generate images, and so needs the trained image decoder."""
    return any(stage.vm_weight for stage in chain.stages)


def build_dream(recipe: Recipe, chain: str, work: Path, *, decoder: bool) -> DreamLLMForCausalLM:
    """The DreamLLM of a chain of that name, of the stage-0 parts, projectors and queries fresh.

    The parts are those that will be shipped, in half precision, so that training sees what users will
    load.

    Args:
        decoder: with the trained image decoder; without, an untrained one holds its place, so that a chain
            that never generates can be trained before there is one.
    """
    ship = work / "ship"
    llama = LlamaForCausalLM.from_pretrained(
        work / "parts" / "lm", attn_implementation="eager", dtype=torch.float32
    )
    clip = CLIPModel.from_pretrained(ship / "clip", dtype=torch.float32)
    if decoder:
        unet = UNet2DConditionModel.from_pretrained(ship / "sd" / "unet", torch_dtype=torch.float32)
        vae = AutoencoderKL.from_pretrained(ship / "sd" / "vae", torch_dtype=torch.float32)
        noise: Any = DDPMScheduler.from_pretrained(ship / "sd" / "scheduler")
        scheduler = noise.config
    else:
        from .diffusion import make_scheduler

        vae = AutoencoderKL.from_pretrained(work / "parts" / "vae")
        unet = make_unet(recipe.diffusion, vae.config.latent_channels)
        scheduler = make_scheduler().config
    unet.set_attn_processor(AttnProcessor())
    tokenizer = FastTokenizer(AutoTokenizer.from_pretrained(work / "parts" / "lm"))
    return DreamLLMForCausalLM.from_parts(
        llama=llama, vision=clip, unet=unet, vae=vae, scheduler_config=scheduler,
        special_tokens=special_tokens(tokenizer), num_dream_queries=recipe.dream[chain].queries,
        seed=recipe.seed_of(chain),
    )  # fmt: skip


def learnt_state(model: DreamLLMForCausalLM) -> dict[str, torch.Tensor]:
    """Everything but the frozen parts."""
    return {
        name: value.detach().contiguous().clone()
        for name, value in model.state_dict().items()
        if not name.startswith(FROZEN)
    }


def _as_many(states: torch.Tensor, queries: int) -> torch.Tensor:
    """What the queries are pulled towards: the encoder's states (n, T, D), or, where there are fewer queries,
    the means of as many runs of neighbouring states; further queries are left free."""
    if queries >= states.shape[1]:
        return states
    return functional.adaptive_avg_pool1d(states.transpose(1, 2), queries).transpose(1, 2)


def _first(pool: np.ndarray, labelled: int | None, images: int) -> np.ndarray:
    """The first rows of a pool, as many as its part of `labelled` of all `images`; at least one."""
    if labelled is None:
        return pool
    return pool[: max(1, round(len(pool) * min(1.0, labelled / images)))]


class DreamTraining(nn.Module):
    """DreamLLM's two losses over packed rows, and the pull towards the text encoder."""

    def __init__(
        self, model: DreamLLMForCausalLM, teacher: CLIPTextModel | None, align_weight: float
    ) -> None:
        super().__init__()
        self.model, self.align_weight = model, align_weight
        self.teacher = teacher
        if teacher is not None:
            frozen: Any = teacher.requires_grad_(False)
            frozen.eval()

    def forward(
        self,
        input_ids: torch.Tensor,
        labels: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        image_features: torch.Tensor | None = None,
        latents: torch.Tensor | None = None,
        caption_ids: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """`caption_ids`: (n drawings, T), canonical captions for the text encoder; the rest as DreamLLM's
        forward."""
        found = self.model(
            input_ids=input_ids, labels=labels, attention_mask=attention_mask, position_ids=position_ids,
            image_features=image_features, latents=latents,
        )  # fmt: skip
        loss = found.loss
        if self.teacher is not None and self.align_weight and caption_ids is not None:
            config = self.model.config
            rows, columns = self.model.dream_blocks(input_ids)
            states = gather(found.last_hidden_state, rows, columns, config.num_dream_queries)
            said = self.model.condition_projector(states).float()
            with torch.no_grad():
                meant = _as_many(self.teacher(input_ids=caption_ids).last_hidden_state.float(), said.shape[1])
            said = said[:, : meant.shape[1]]
            loss = loss + self.align_weight * functional.mse_loss(said, meant) / meant.var()
        return {"loss": loss}


class Batches:
    """Draws documents of the kinds that a stage names and turns them into tensors."""

    def __init__(
        self,
        recipe: Recipe,
        model: DreamLLMForCausalLM,
        work: Path,
        kind: str,
        labelled: int | None = None,
    ) -> None:
        data = work / "data"
        self.kind = kind
        self.images = {"train": load_images(data, "train"), "valid": load_images(data, "valid")}
        reads = ["train", "valid", "edit-sources", "valid-edit-sources", "stories"]
        if recipe.data.easy_vqa:
            self.images["easy"] = load_images(data, "easy")
            reads.append("easy")
        self.features = {name: np.load(data / f"features-{name}.npy", mmap_mode="r") for name in reads}
        self.latents = {
            name: np.load(data / f"{name}-latents.npy", mmap_mode="r")
            for name in ("train", "edit-targets", "stories")
        }
        rows = used_rows(recipe, self.images["train"])
        things = np.array([self.images["train"].entries[int(r)].things for r in rows])
        self.pools = [rows[things == n] for n in (1, 2, 3)]
        self.shares = np.array(recipe.diffusion.shares) / sum(recipe.diffusion.shares)
        self.labelled = [_first(pool, labelled, len(rows)) for pool in self.pools]
        self.labelled_easy = 1.0 if labelled is None else min(1.0, labelled / len(rows))
        self.edits = load_edits(data / "edits.jsonl")
        self.valid_edits = load_edits(data / "valid-edits.jsonl")
        self.stories = load_stories(data / "stories.jsonl")
        self.tokenizer = FastTokenizer(AutoTokenizer.from_pretrained(work / "parts" / "lm"))
        self.writer = Writer(
            self.tokenizer, model.config.tokens, model.config.num_patches, model.config.num_dream_queries
        )
        encoder = work / "parts" / "sd" / "tokenizer"
        self.captioner = AutoTokenizer.from_pretrained(encoder) if kind != "comprehension" else None

    def documents(self, stage: DreamStage, rng: np.random.Generator, rows: int) -> list[Document]:
        """Documents for one step: `stage.rows` says how many of each kind, for a batch of
        `stage.schedule.batch`."""
        makers: dict[str, Callable[[np.random.Generator, DreamStage], Document]] = {
            "pair": self._pair,
            "draw": self._draw,
            "chat": self._chat,
            "easy": self._easy,
            "drill": self._drill,
            "text": self._text,
            "scan": self._scan,
            "list": self._list,
            "choice": self._choice,
            "text-choice": self._text_choice,
            "edit": self._edit,
            "story": self._story,
        }
        scale = rows / stage.schedule.batch
        return [
            makers[kind](rng, stage)
            for kind, count in stage.rows.items()
            for _ in range(max(1, round(count * scale)))
        ]

    def _row(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self.pools[int(rng.choice(3, p=self.shares))]))

    def _labelled_row(self, rng: np.random.Generator) -> int:
        """An image that has questions."""
        return int(rng.choice(self.labelled[int(rng.choice(3, p=self.shares))]))

    def _pair(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        easy = "easy" in self.images and rng.random() < 0.2
        cache = "easy" if easy else "train"
        row = int(rng.integers(len(self.images["easy"].entries))) if easy else self._row(rng)
        entry = self.images[cache].entries[row]
        if entry.scene is None:
            texts = [entry.caption, *(t for t in entry.captions if t != entry.caption)]
        else:
            texts = captions_in_order(entry.captions, scene_from_json(entry.scene))
        texts = texts[:4]
        return self.writer.captions(CachedImage(cache, row), texts)

    def _draw(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        row = self._row(rng)
        entry = self.images["train"].entries[row]
        if rng.random() < stage.drop_prompt:
            return self.writer.draw("", Drawing(CachedImage("train", row), ""))
        text = entry.caption if rng.random() < 0.4 else entry.captions[int(rng.integers(len(entry.captions)))]
        assert entry.scene is not None
        # What the text leaves open, the target caption leaves open too; it names things in the text's order.
        meant = (
            caption_as_said(text, scene_from_json(entry.scene))
            if says_everything(text, entry.caption)
            else text
        )
        return self.writer.draw(text, Drawing(CachedImage("train", row), meant))

    def _chat(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        row = self._labelled_row(rng)
        return self.chat("train", row, rng, SHORT if rng.random() < 0.5 else VICUNA)

    def _drill(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        row = self._labelled_row(rng)
        entry = self.images["train"].entries[row]
        assert entry.scene is not None
        return self.writer.drill(CachedImage("train", row), "", drills(scene_from_json(entry.scene), rng, 24))

    def _text(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        """Drills about a caption instead of a image: the same thinking at a fifth of the cost."""
        entry = self.images["train"].entries[self._labelled_row(rng)]
        assert entry.scene is not None
        turns = drills(scene_from_json(entry.scene), rng, 14)
        return self.writer.drill(None, entry.caption + " . ", turns)

    def _scan(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        """One caption in reading order: the cheapest document that names everything in a image."""
        row = self._row(rng)
        entry = self.images["train"].entries[row]
        assert entry.scene is not None
        turn = (DESCRIBE, caption_of(scene_from_json(entry.scene)))
        return self.writer.chat(CachedImage("train", row), "", [turn], SHORT)

    def _list(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        """Lists of options and the letters of each: multiple choice without anything to read."""
        return self.writer.lists([listed(rng) for _ in range(LISTS)])

    def _choice(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        """Multiple-choice questions about a image, as the miniature's benchmark words them."""
        row = self._labelled_row(rng)
        return self.writer.chat(CachedImage("train", row), "", self._lettered(row, rng), SHORT)

    def _text_choice(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        """The same about a caption instead of a image."""
        row = self._labelled_row(rng)
        context = self.images["train"].entries[row].caption + " . "
        return self.writer.chat(None, context, self._lettered(row, rng), SHORT)

    def _lettered(self, row: int, rng: np.random.Generator) -> list[tuple[str, str]]:
        entry = self.images["train"].entries[row]
        assert entry.scene is not None
        scene = scene_from_json(entry.scene)
        return [letters(choose(scene, rng, int(rng.integers(100))), rng) for _ in range(CHOICES)]

    def chat(self, cache: str, row: int, rng: np.random.Generator, template: object) -> Document:
        """Questions of every form about a world image: open ones, ones with letters, and to describe it."""
        entry = self.images[cache].entries[row]
        assert entry.scene is not None
        scene = scene_from_json(entry.scene)
        chosen = rng.permutation(len(entry.questions))[:6]
        turns = [entry.questions[int(i)][:2] for i in chosen]
        turns += [letters(choose(scene, rng, int(rng.integers(100))), rng) for _ in range(LETTERS)]
        turns.append((DESCRIBE, caption_of(scene)))
        return self.writer.chat(CachedImage(cache, row), "", turns, template)  # type: ignore[arg-type]

    def _easy(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        row = int(rng.integers(max(1, round(self.labelled_easy * len(self.images["easy"].entries)))))
        entry = self.images["easy"].entries[row]
        turns = [(question, answer) for question, answer, _ in entry.questions]
        return self.writer.chat(CachedImage("easy", row), "", turns, SHORT if rng.random() < 0.5 else VICUNA)

    def _edit(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        entry = self.edits[int(rng.integers(len(self.edits)))]
        turns = [
            (instruction, Drawing(CachedImage("edit-targets", row), text))
            for instruction, text, row, _ in entry.turns
        ]
        return self.writer.edit(CachedImage("edit-sources", entry.source), turns)

    def _story(self, rng: np.random.Generator, stage: DreamStage) -> Document:
        entry = self.stories[int(rng.integers(len(self.stories)))]
        parts = [(text, Drawing(CachedImage("stories", row), said)) for text, said, row in entry.parts]
        document = self.writer.story(parts, read=self.kind != "creation", draw=self.kind != "comprehension")
        if self.kind == "creation":
            document.branches = [(ids, [IGNORED] * len(labels)) for ids, labels in document.branches]
        return document

    def tensors(self, packed: Packed) -> Batch:
        """What `DreamTraining.forward` takes."""
        batch: Batch = {
            "input_ids": packed.input_ids,
            "labels": packed.labels,
            "attention_mask": packed.attention_mask,
            "position_ids": packed.position_ids,
        }
        if packed.read:
            found = np.stack([self.features[p.cache][p.row] for p in packed.read]).astype(np.float32)
            batch["image_features"] = torch.from_numpy(found)
        if packed.drawn:
            drawn = np.stack([self.latents[d.image.cache][d.image.row] for d in packed.drawn])
            batch["latents"] = torch.from_numpy(drawn.astype(np.float32))
            assert self.captioner is not None
            texts = [d.caption for d in packed.drawn]
            batch["caption_ids"] = self.captioner(
                texts, padding="max_length", truncation=True, return_tensors="pt"
            )["input_ids"]
        return batch


def train_chain(recipe: Recipe, name: str, work: Path, resume: bool) -> list[Record]:
    """Train one chain of stages; the learnt weights after stage N lie in
    `work/dream/NAME/stage-N.safetensors`."""
    from .checks import make_check

    chain = recipe.dream[name]
    kind = recipe.kind_of(name)
    torch.manual_seed(recipe.seed_of(name))
    model = build_dream(recipe, name, work, decoder=generates(chain))
    encoder = work / "parts" / "sd" / "text_encoder"
    teacher = (
        CLIPTextModel.from_pretrained(encoder, attn_implementation="eager", dtype=torch.float32)
        if any(stage.align_weight for stage in chain.stages)
        else None
    )
    batches = Batches(recipe, model, work, kind, chain.labelled)
    folder = work / "dream" / name
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for stage in chain.stages:
        done = folder / f"stage-{stage.stage}.safetensors"
        if resume and done.exists():
            model.load_state_dict(load_file(done), strict=False)
            continue
        set_stage(model, TRAINED_AT[kind][stage.stage])
        model.config.loss_weight_lm, model.config.loss_weight_vm = stage.lm_weight, stage.vm_weight

        def make(rng: np.random.Generator, rows: int, stage: DreamStage = stage) -> Batch:
            return batches.tensors(pack(batches.documents(stage, rng, rows), ROW, batches.writer.tokens.pad))

        record = fit(
            f"dream/{name}/{stage.stage}", DreamTraining(model, teacher, stage.align_weight), make,
            stage.schedule, work, resume=resume,
            check=make_check(batches, model, kind, work, chain.check_scenes), check_every=stage.check_every,
        )  # fmt: skip
        save_file(learnt_state(model), done)
        record.save(folder / f"stage-{stage.stage}.json")
        records.append(record)
    return records


__all__ = ["Batches", "DreamTraining", "ImageSet", "build_dream", "learnt_state", "train_chain"]
