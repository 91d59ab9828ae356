"""Each transform against another library or a loop, and its ranges on known images."""

import colorsys
import math
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance
from scipy import ndimage

from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS, Augmentation, augmentation, say_recipe
from qssl_tf.data.geometric import ATTEMPTS, RandomBlur, RandomFlip, RandomResizedCrop
from qssl_tf.data.photometric import RandomColorJitter, RandomGrayscale
from qssl_tf.data.resample import crop_and_resize


@pytest.fixture
def images():
    return np.random.default_rng(7).random((6, 12, 12, 3), np.float32)


def draws(count, rows=6, seed=3):
    return np.random.default_rng(seed).random((rows, count), np.float32)


def test_crop_and_resize_is_pils_bilinear():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    boxes = np.array([[0, 0, 16, 16], [3, 5, 4, 7], [0, 9, 16, 7], [1, 2, 13, 3], [15, 15, 1, 1]], np.float32)
    for size in (16, 6, 31):
        ours = crop_and_resize(tf.constant(pixels, tf.float32), *map(tf.constant, boxes.T), size).numpy()
        for image, (top, left, height, width), result in zip(pixels, boxes.astype(int), ours, strict=True):
            crop = Image.fromarray(image).crop((left, top, left + width, top + height))
            judge = np.asarray(crop.resize((size, size), Image.Resampling.BILINEAR), np.float32)
            assert np.abs(result - judge).max() <= 1.01  # PIL rounds to bytes twice


def torchvision_box(u, height, width, min_area, ratio):
    """torchvision's RandomResizedCrop.get_params as a loop, on given uniform numbers."""
    for attempt in range(ATTEMPTS):
        area = height * width * (min_area + u[attempt] * (1 - min_area))
        aspect = math.exp(-math.log(ratio) + u[ATTEMPTS + attempt] * 2 * math.log(ratio))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(u[-2] * (height - h + 1)), int(u[-1] * (width - w + 1)), h, w
    in_ratio = width / height
    w, h = width, height
    if in_ratio < 1 / ratio:
        h = round(w * ratio)
    elif in_ratio > ratio:
        w = round(h * ratio)
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(("height", "width"), [(32, 32), (10, 40), (40, 10)])
def test_boxes_follow_torchvisions_loop(height, width):
    crop = RandomResizedCrop(8, min_area=0.2)
    u = draws(crop.n_draws, rows=400)
    ours = np.stack([part.numpy() for part in crop.boxes(tf.constant(u), height, width)], axis=1)
    judge = [torchvision_box(row.astype(float), height, width, 0.2, 4 / 3) for row in u]
    assert np.mean(np.all(ours == judge, axis=1)) > 0.99  # a float32 rounding at .5 may differ


def test_crop_ranges():
    crop = RandomResizedCrop(8, min_area=0.2)
    top, left, height, width = (x.numpy() for x in crop.boxes(tf.constant(draws(crop.n_draws, rows=4000)), 32, 32))
    area, ratio = height * width / 1024, width / height
    assert area.min() > 0.17 and area.max() <= 1 and np.quantile(area, 0.001) + 0.03 > 0.19
    assert ratio.min() > 0.70 and ratio.max() < 1.43  # whole pixels widen 3/4 ... 4/3 a little
    assert top.min() == 0 and (top + height).max() == 32 and left.min() == 0 and (left + width).max() == 32


def test_a_full_box_leaves_the_image_unchanged():
    image = np.random.default_rng(1).random((2, 9, 9, 1), np.float32)
    zeros, nines = tf.zeros(2), tf.fill((2,), 9.0)
    np.testing.assert_allclose(crop_and_resize(image, zeros, zeros, nines, nines, 9), image, atol=1e-6)


def jitter_draws(factors, hue, order, jitter):
    """Uniform numbers that yield the given factors, hue and order."""
    strengths = (jitter.brightness, jitter.contrast, jitter.saturation)
    amounts = [(f - (1 - s)) / (2 * s) for f, s in zip(factors, strengths, strict=True)]
    ranks = [order.index(change) / 4 for change in range(4)]
    return np.array([[0.0, *amounts, (hue + jitter.hue) / (2 * jitter.hue), *ranks]], np.float32)


def pil_jitter(image, factors, hue, order):
    for change in order:
        if change == 3:
            flat = [colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3)]
            image = np.array([colorsys.hsv_to_rgb((h + hue) % 1, s, v) for h, s, v in flat]).reshape(image.shape)
            continue
        enhance = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[change]
        picture = Image.fromarray(np.round(image * 255).astype(np.uint8))
        image = np.asarray(enhance(picture).enhance(factors[change])) / 255
    return image


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]])
def test_jitter_is_pils_enhancement_in_any_order(images, order):
    jitter = RandomColorJitter()
    factors, hue = (1.3, 0.65, 1.25), -0.07
    ours = jitter(images[:1], jitter_draws(factors, hue, order, jitter)).numpy()[0]
    assert np.abs(ours - pil_jitter(images[0].astype(float), factors, hue, order)).max() < 0.02  # PIL's bytes


def test_jitter_is_multiplicative_with_its_range_and_probability():
    jitter = RandomColorJitter(brightness=0.4, contrast=0.0, saturation=0.0, hue=0.0)
    gray = np.full((5000, 1, 1, 3), 0.5, np.float32)
    jittered = jitter(gray, draws(9, rows=5000)).numpy()[:, 0, 0, 0]
    unchanged = np.mean(jittered == 0.5)
    assert abs(unchanged - 0.2) < 0.03
    assert 0.3 <= jittered.min() < 0.31 and 0.69 < jittered.max() <= 0.7


def test_one_channel_is_jittered_without_colour():
    jitter = RandomColorJitter()
    image = np.random.default_rng(0).random((1, 4, 4, 1), np.float32)
    u = jitter_draws((1.2, 0.7, 1.4), 0.1, [0, 1, 2, 3], jitter)
    brighter = np.clip(image * 1.2, 0, 1)
    np.testing.assert_allclose(jitter(image, u), 0.7 * brighter + 0.3 * brighter.mean(), atol=1e-6)


def test_grayscale_is_pils_luminance(images):
    ours = RandomGrayscale(0.2)(images, np.full((6, 1), 0.1, np.float32)).numpy()
    for image, result in zip(images, ours, strict=True):
        judge = np.asarray(Image.fromarray(np.round(image * 255).astype(np.uint8)).convert("L")) / 255
        assert np.abs(result - judge[..., None]).max() < 0.01


@pytest.mark.parametrize("transform", [RandomGrayscale(0.2), RandomFlip(0.5)])
def test_probability_chooses_images(images, transform):
    u = np.array([[transform.probability - 0.01], [transform.probability + 0.01]] * 3, np.float32)
    jittered = transform(images, u).numpy()
    assert [bool(np.any(new != old)) for new, old in zip(jittered, images, strict=True)] == [True, False] * 3


def test_flip_mirrors_left_and_right(images):
    np.testing.assert_array_equal(RandomFlip(0.5)(images, np.zeros((6, 1), np.float32)), images[:, :, ::-1])


def test_blur_is_scipys_gaussian(images):
    blur = RandomBlur(kernel_size=5, probability=1.0)
    ours = blur(images, np.full((6, 2), 0.4, np.float32)).numpy()
    sigma = 0.1 + 0.4 * 1.9
    judge = ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="mirror", radius=(0, 2, 2, 0))
    np.testing.assert_allclose(ours, judge, atol=1e-5)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_recipes_keep_the_range_and_reload(name, images):
    recipe = AUGMENTATIONS[name](8)
    u = draws(recipe.n_draws)
    views = recipe(images, u).numpy()
    assert views.shape == (6, 8, 8, 3) == recipe.compute_output_shape(images.shape)
    assert views.min() >= 0 and views.max() <= 1 + 1e-6
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(recipe))
    np.testing.assert_array_equal(again(images, u), views)


def test_settings_reach_the_recipe():
    config = Config(augmentation="simclr", crop_area=0.4, jitter=0.5)
    crop, jitter = augmentation(config, (8, 8, 3)).transforms[:2]
    assert (crop.min_area, jitter.brightness, jitter.hue) == (0.4, 0.2, 0.05)
    assert augmentation(config, (8, 8, 3), probing=True).transforms[0].min_area == 0.08  # the paper's probe
    papers = augmentation(Config(augmentation="simclr"), (8, 8, 3)).transforms
    assert (papers[0].min_area, papers[1].contrast, papers[1].hue) == (0.2, 0.4, 0.1)


@pytest.mark.parametrize(
    ("name", "channels", "flips", "output"),
    [
        ("auto", 1, False, ""),
        ("auto", 3, True, "the images are in colour: views by the recipe simclr (crop, colour, gray, flip); where a "
         "mirrored image means something else, choose `augmentation='digits'`\n"),
        ("digits", 3, False, ""),
        ("simclr", 1, True, ""),
    ],
)  # fmt: skip
def test_the_recipe_suits_the_images_unless_one_is_named(name, channels, flips, output, capsys):
    config = Config() if name == "auto" else Config(augmentation=name)
    recipe = augmentation(config, (8, 8, channels))
    assert any(isinstance(layer, RandomFlip) for layer in recipe.transforms) == flips
    say_recipe(config, (8, 8, channels))
    assert capsys.readouterr().out == output


def test_digits_are_never_flipped():
    assert not any(isinstance(layer, RandomFlip) for layer in AUGMENTATIONS["digits"](8).transforms)


def test_each_transform_gets_its_own_random_numbers(images):
    first, second = RandomFlip(0.5), RandomGrayscale(0.5)
    combined = Augmentation([first, second])
    u = np.array(random.Random(0).choices((0.25, 0.75), k=12), np.float32).reshape(6, 2)
    np.testing.assert_array_equal(combined(images, u), second(first(images, u[:, :1]), u[:, 1:]))
