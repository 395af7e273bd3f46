"""What the miniature is trained on: captions in an order that can be known, lists of options, blind noise."""

from dataclasses import replace

import numpy as np
import pytest

from evalsuite.mini.language import caption, captions
from evalsuite.mini.training.ordering import caption_as_said, caption_of, captions_in_order, in_reading_order
from evalsuite.mini.world import Scene, sample_scene

BACKGROUND = (245, 245, 245)


def _scenes(things: int, count: int = 60) -> list[Scene]:
    rng = np.random.default_rng(things)
    return [sample_scene(rng, split="train", things=things) for _ in range(count)]


@pytest.mark.parametrize("things", [1, 2, 3])
def test_reading_order_follows_from_the_image_alone(things: int) -> None:
    for scene in _scenes(things):
        ordered = in_reading_order(scene)
        assert in_reading_order(replace(scene, things=scene.things[::-1])) == ordered
        assert set(ordered.things) == set(scene.things)
        if things == 2:
            assert ordered.relation in ("left of", "above")


def test_reading_order_matters() -> None:
    """Without it half of all canonical captions of two things name the right or lower one first."""
    scenes = _scenes(2, 200)
    other = sum(caption(scene) != caption_of(scene) for scene in scenes)
    assert 70 < other < 130


@pytest.mark.parametrize("things", [1, 2, 3])
def test_a_caption_as_said_names_things_in_the_order_of_the_text(things: int) -> None:
    rng = np.random.default_rng(0)
    for scene in _scenes(things):
        for text in captions(scene, rng, 7):
            meant = caption_as_said(text, scene)
            names = [f"{thing.colour} {thing.shape}" for thing in scene.things]
            said = sorted(names, key=text.find)
            assert sorted(names, key=meant.find) == said
        assert caption_as_said(caption(scene), scene) == caption(scene)


def test_captions_in_order_are_true_and_begin_with_the_canonical_one() -> None:
    rng = np.random.default_rng(0)
    for scene in _scenes(2):
        texts = tuple(captions(scene, rng, 7))
        found = captions_in_order(texts, scene)
        first = in_reading_order(scene).things[0]
        assert found[0] == caption_of(scene)
        assert set(found[1:]) <= set(texts)
        assert len(found) == len(set(found))
        other = in_reading_order(scene).things[1]
        for text in found:
            assert text.find(f"{first.colour} {first.shape}") < text.find(f"{other.colour} {other.shape}")


def test_lists_ask_for_options_and_answer_with_their_letters() -> None:
    import re

    from evalsuite.mini.training.drills import listed

    rng = np.random.default_rng(0)
    lengths, repeated = set(), 0
    for _ in range(200):
        (first, letter), *turns = listed(rng)
        text, asked = first.split(" . ")
        options = [part.strip() for part in re.split(r"(?:^| )[a-d]\. ", text)[1:]]
        truth = dict(zip(options, "abcd", strict=False))
        said = [(asked, letter), *turns]
        assert all(truth[option] == answer for option, answer in said)
        assert len(said) == 5
        repeated += len({option for option, _ in said}) < len(options)
        lengths.add(len(options))
    assert lengths == {2, 3, 4}
    assert repeated > 40, "each option is asked for once: the last letter follows from the others"


def test_blocks_of_a_list_do_not_see_each_other_and_only_letters_are_learnt() -> None:
    from evalsuite.dreamllm.tokenization import FastTokenizer, special_tokens
    from evalsuite.dreamllm.training import IGNORED
    from evalsuite.mini.training.documents import Writer
    from evalsuite.mini.training.tokenizer import make_tokenizer

    tokenizer = FastTokenizer(make_tokenizer(end=False, max_length=64))
    writer = Writer(tokenizer, special_tokens(tokenizer), patches=4, queries=2)
    document = writer.lists([[("a. red b. blue . red", "a"), ("blue", "b")], [("a. 1 b. 2 . 2", "b")]])
    assert len(document.branches) == 2
    learnt = [[label for label in labels if label != IGNORED] for _, labels in document.branches]
    assert learnt == [[*writer.ids("a"), *writer.ids("b")], writer.ids("b")]


def test_blind_rows_say_nothing_of_the_image_and_stand_for_it() -> None:
    """A network that is right about the image gets no loss from blind rows, whatever noise it sees."""
    pytest.importorskip("diffusers")
    import torch

    from evalsuite.mini.training.diffusion import BLIND_FROM, DiffusionTraining

    clean = torch.randn(8, 4, 8, 8)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    class Knowing(torch.nn.Module):
        """Predicts the noise that stands for the true latents."""

        def forward(self, noisy: torch.Tensor, times: torch.Tensor, context: torch.Tensor) -> object:
            seen.append((noisy, times))
            share = training.scheduler.alphas_cumprod[times][:, None, None, None]
            return type("Found", (), {"sample": (noisy - share.sqrt() * clean) / (1 - share).sqrt()})

    class Text(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> object:
            return type("Found", (), {"last_hidden_state": torch.zeros(8, 2, 4)})

    training = DiffusionTraining(Knowing(), Text(), snr_gamma=5.0, blind=0.5)  # type: ignore[arg-type]
    torch.manual_seed(0)
    loss = training(clean, torch.zeros(8, 2, dtype=torch.long))["loss"]
    assert float(loss) < 1e-6
    noisy, times = seen[0]
    assert bool((times[:4] >= BLIND_FROM).all())
    torch.manual_seed(0)
    training(-clean, torch.zeros(8, 2, dtype=torch.long))
    again, _ = seen[1]
    assert torch.equal(noisy[:4], again[:4])
    assert not torch.equal(noisy[4:], again[4:])


@pytest.mark.parametrize("things", [1, 2])
def test_a_caption_says_everything_when_no_attribute_is_left_open(things: int) -> None:
    from evalsuite.mini.language import describe
    from evalsuite.mini.training.ordering import says_everything

    rng = np.random.default_rng(0)
    everything = {1: {"colour", "shape", "size", "place"}, 2: {"colour", "shape", "size", "relation"}}[things]
    found = set()
    for scene in _scenes(things):
        for said in describe(scene, rng, 7):
            full = says_everything(said.text, caption(scene))
            if things == 1 or said.states == everything:
                assert full == (said.states == everything), said.text
            found.add(full)
    assert found == {True, False}
