"""The detector reads clean and degraded images, and is not talked into seeing what is not there."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from evalsuite.mini.detect import Detection, detect, matches
from evalsuite.mini.render import render
from evalsuite.mini.world import COLOURS, Scene, Thing, sample_scene

GROUND = (247, 246, 248)
RED = Thing("circle", "red", "small", 17.0, 32.0, 8.0)
BLUE = Thing("square", "blue", "large", 46.0, 33.0, 13.0)
PAIR = Scene((RED, BLUE), GROUND)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = np.random.default_rng(5)
    return [sample_scene(rng, split="test") for _ in range(500)]


def degraded(picture: np.ndarray, sigma: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    soft = gaussian_filter(picture.astype(float), (sigma, sigma, 0)) + rng.normal(0, noise, picture.shape)
    return np.clip(np.round(soft), 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_clean_images_are_read_right(scenes: list[Scene]) -> None:
    right = [matches(scene, detect(render(scene))).all for scene in scenes]
    assert np.mean(right) >= 0.99


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "noise", "least"), [(0.7, 6.0, 0.97), (1.2, 12.0, 0.95)])
def test_soft_and_noisy_images_are_read_right(
    scenes: list[Scene], sigma: float, noise: float, least: float
) -> None:
    rng = np.random.default_rng(0)
    right = [matches(scene, detect(degraded(render(scene), sigma, noise, rng))).all for scene in scenes]
    assert np.mean(right) >= least


def test_tinted_colours_are_still_the_nearest_palette_colour(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(1)
    right = []
    for scene in scenes[:200]:
        tint = rng.uniform(-18, 18, 3)
        picture = np.clip(render(scene).astype(float) + tint, 0, 255).astype(np.uint8)
        right.append(matches(scene, detect(picture)).bound)
    assert np.mean(right) >= 0.97


@pytest.mark.slow
def test_centres_are_read_to_half_a_pixel(scenes: list[Scene]) -> None:
    assert max(matches(scene, detect(render(scene))).shift for scene in scenes) < 0.5


def test_nothing_is_seen_in_an_empty_or_in_a_noise_image() -> None:
    assert detect(np.full((64, 64, 3), 250, np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert not any(matches(PAIR, detect(noise)).satisfies([name]) for name in ("colour", "shape", "relation"))


def test_specks_and_light_grey_are_nothing() -> None:
    picture = render(Scene((RED,), GROUND))
    picture[50:54, 50:54] = COLOURS["black"]
    picture[5:25, 40:60] = (190, 190, 190)
    assert [d.colour for d in detect(picture)] == ["red"]


def test_a_colour_far_from_the_palette_is_not_taken_for_one() -> None:
    picture = np.full((64, 64, 3), 250, np.uint8)
    picture[20:40, 20:40] = (0, 200, 200)
    assert detect(picture) == []


def test_a_form_that_is_none_of_the_three_is_called_other() -> None:
    picture = np.full((64, 64, 3), 250, np.uint8)
    picture[30:34, 5:60] = COLOURS["green"]
    assert [(d.shape, d.colour) for d in detect(picture)] == [("other", "green")]


def test_touching_things_of_two_colours_are_two_things() -> None:
    touching = Scene((replace(RED, x=24.0, shape="square"), replace(BLUE, x=24 + 0.886 * 21, y=32.0)), GROUND)
    assert [d.colour for d in detect(render(touching))] == ["blue", "red"]


def test_right_things_in_a_wrong_relation_fail_only_the_relation() -> None:
    swapped = Scene((replace(RED, x=46.0), replace(BLUE, x=17.0)), GROUND)
    match = matches(PAIR, detect(render(swapped)))
    assert match.bound
    assert match.size
    assert not match.where
    assert not match.all
    assert match.satisfies(["colour", "shape", "size"])
    assert not match.satisfies(["colour", "shape", "relation"])


def test_colours_on_the_wrong_shapes_do_not_satisfy_colour_and_shape() -> None:
    crossed = Scene((replace(RED, colour="blue"), replace(BLUE, colour="red")), GROUND)
    match = matches(PAIR, detect(render(crossed)))
    assert match.count
    assert not match.bound
    assert not match.satisfies(["colour", "shape"])


def test_one_thing_too_many_or_too_few_fails_everything() -> None:
    for shown in (
        Scene((RED,), GROUND),
        Scene((*PAIR.things, replace(RED, x=30.0, y=9.0, radius=7.0)), GROUND),
    ):
        match = matches(PAIR, detect(render(shown)))
        assert not match.count
        assert not match.colour
        assert not match.all
        assert match.shift == float("inf")


def test_the_same_thing_elsewhere_fails_the_place_and_tells_how_far() -> None:
    match = matches(Scene((RED,), GROUND), detect(render(Scene((replace(RED, x=47.0),), GROUND))))
    assert match.bound
    assert not match.where
    assert match.shift == pytest.approx(30, abs=0.5)


def test_the_order_of_detections_does_not_matter() -> None:
    seen = detect(render(PAIR))
    assert matches(PAIR, seen) == matches(PAIR, seen[::-1])
    assert all(isinstance(d, Detection) for d in seen)
    assert seen[0].area > seen[1].area


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        detect(np.zeros((64, 64, 3)))
    with pytest.raises(ValueError, match="uint8"):
        detect(np.zeros((64, 64), np.uint8))
    with pytest.raises(ValueError, match="no attribute"):
        matches(PAIR, detect(render(PAIR))).satisfies(["smell"])
