"""Figures, read back from their files by other programs than the one that drew them."""

import itertools

import numpy as np
import pytest
from judges.drawn_words import words, words_in_order
from PIL import Image

import qssl_tf as q
from qssl_tf.device.draw import draw_circuit
from qssl_tf.plots.bloch import bloch_angles
from qssl_tf.plots.embedding import MAX_POINTS, METHODS, embedding_map
from qssl_tf.plots.expectations import expectation_distributions
from qssl_tf.plots.projector import sprite, write_projector
from qssl_tf.plots.style import COLOURS, MARKERS, class_style

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
FEATURES = (np.eye(3)[LABELS] @ RNG.normal(size=(3, 5)) + 0.1 * RNG.normal(size=(60, 5))).clip(-1, 1)
NAMES = ("a", "b", "c")


def test_colour_and_marker_identify_a_class():
    styles = [tuple(class_style(number).values()) for number in range(100)]
    assert len(set(styles)) == 100 and len(COLOURS) == len(MARKERS) == 10
    assert len({colour for colour, _ in styles[:10]}) == len({marker for _, marker in styles[:10]}) == 10


# Okabe and Ito's palette (2008), and Machado's matrices of colour vision (doi:10.1109/TVCG.2009.113), severity 1.
OKABE_ITO = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
EYES = {
    "all cones": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no medium": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # of sRGB, D65


def lab(colour, eyes):
    """Return a colour in CIELAB as seen by some kind of eyes (IEC 61966-2-1, CIE 15)."""
    values = np.array([int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    shares = XYZ @ np.clip(EYES[eyes] @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(shares > 216 / 24389, np.cbrt(shares), (24389 / 27 * shares + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", EYES)
def test_the_added_colours_are_as_distinct_as_those_of_the_palette(eyes):
    def distance(one, other):
        return np.linalg.norm(lab(one, eyes) - lab(other, eyes))

    assert set(OKABE_ITO) < set(COLOURS)
    nearest = min(distance(*pair) for pair in itertools.combinations(OKABE_ITO, 2))
    for new in set(COLOURS) - set(OKABE_ITO):
        assert min(distance(new, other) for other in COLOURS if other != new) >= nearest


@pytest.mark.parametrize("method", METHODS)
def test_a_map_keeps_separate_classes_apart(tmp_path, method):
    points = embedding_map(tmp_path / "map.png", FEATURES, LABELS, NAMES, method)
    centres = np.stack([points[label == LABELS].mean(axis=0) for label in range(3)])
    nearest = np.argmin(((points[:, None] - centres) ** 2).sum(axis=-1), axis=1)
    assert (nearest == LABELS).all()
    texts = words(tmp_path / "map.png")
    assert set(NAMES) <= texts and any("variance" in word or "t-SNE" in word for word in texts)


def test_the_share_of_variance_is_that_of_the_covariance(tmp_path):
    embedding_map(tmp_path / "map.png", FEATURES, LABELS, NAMES)
    values = np.linalg.eigvalsh(np.cov(FEATURES.T))[::-1]
    assert f"component 1 ({100 * values[0] / values.sum():.0f} % of the variance)" in words(tmp_path / "map.png")


def test_large_sets_are_thinned_and_may_have_no_labels(tmp_path):
    large = RNG.normal(size=(MAX_POINTS + 500, 3))
    assert embedding_map(tmp_path / "map.png", large, np.zeros(len(large), int), ()).shape == (MAX_POINTS, 2)
    words(tmp_path / "map.png")


ODD_NAMES = ("$$", "_hidden", "caf\udce9\n")


def test_classes_of_any_name_are_in_every_legend(tmp_path):
    embedding_map(tmp_path / "map.png", FEATURES, LABELS, ODD_NAMES)
    expectation_distributions(tmp_path / "f.png", FEATURES, LABELS, ODD_NAMES, list("01234"))
    for name in ("map.png", "f.png"):
        assert {"$$", "_hidden", r"caf\xe9\n"} <= words(tmp_path / name)
    write_projector(tmp_path, FEATURES, LABELS, ODD_NAMES, np.zeros((60, 4, 4, 1), np.uint8))
    assert (tmp_path / "classes.tsv").read_text().splitlines()[:3] == ["$$", "_hidden", r"caf\xe9\n"]


def test_unlabelled_images_are_drawn_as_such(tmp_path):
    labels = np.where(LABELS == 2, -1, LABELS)
    embedding_map(tmp_path / "map.png", FEATURES, labels, NAMES[:2])
    assert {"a", "b", "unlabelled"} <= words(tmp_path / "map.png")
    write_projector(tmp_path, FEATURES, labels, NAMES[:2], np.zeros((60, 4, 4, 1), np.uint8))
    assert (tmp_path / "classes.tsv").read_text().splitlines()[:3] == ["a", "b", "unlabelled"]
    expectation_distributions(tmp_path / "f.png", FEATURES, np.full(60, -1), NAMES, list("01234"))
    assert "mean of class" not in words(tmp_path / "f.png")


NO_MAP = "`features` of a map must be of 4 images or more, finite and not all equal; "


def test_features_without_a_map_are_refused_in_one_line(tmp_path):
    path, labels = tmp_path / "m.png", LABELS
    for call, sentence in (
        (
            lambda: embedding_map(path, FEATURES, labels, NAMES, "umap"),
            "`method` must be one of pca, tsne; got 'umap'.",
        ),
        (
            lambda: embedding_map(path, FEATURES[:3], labels, NAMES),
            NO_MAP + "a map needs at least 4 images and 2 features; got 3 and 5.",
        ),
        *(
            (lambda same=same: embedding_map(path, same, labels, NAMES, "tsne"), f"{NO_MAP}{reason}.")
            for same, reason in (
                (np.full((60, 5), 0.3, "f"), "all features are equal"),
                ((1 + 1e-7 * FEATURES).astype("f"), "all features are equal"),  # but for rounding
                (np.full((60, 5), np.nan, "f"), "the features are not finite"),
            )
        ),
        (
            lambda: write_projector(tmp_path, FEATURES, labels[:2], NAMES, labels),
            "features, labels and images must be equally many; got 60, 2 and 60.",
        ),
    ):
        with pytest.raises(q.UserError) as error:
            call()
        assert str(error.value) == sentence


def test_distributions_name_features_and_classes(tmp_path):
    constant = np.concatenate([FEATURES, np.ones((60, 1))], axis=1)
    expectation_distributions(tmp_path / "f.png", constant, LABELS, NAMES, [f"Z{i}" for i in range(6)])
    assert {"Z0", "Z5", "expectation (no unit)", "mean of class", *NAMES} <= words(tmp_path / "f.png")
    expectation_distributions(tmp_path / "f.png", 7 * FEATURES, LABELS, (), list("01234"))
    assert "feature (no unit)" in words(tmp_path / "f.png")


@pytest.mark.parametrize("width", [1, 8, 11])
def test_angles_have_one_panel_a_qubit_in_radians(tmp_path, width):
    bloch_angles(tmp_path / "a.png", RNG.uniform(0, np.pi, (50, width)))
    texts = words(tmp_path / "a.png")
    assert {f"qubit {number}" for number in range(width)} | {"angle of the encoder (radians)"} <= texts
    assert f"qubit {width}" not in texts


@pytest.mark.parametrize("values", [False, True])
def test_a_circuit_is_drawn_with_names_or_numbers(tmp_path, values):
    head = q.QuantumHead(width=3)
    head.parameters.assign(np.linspace(1, 2, 12))
    assert draw_circuit(tmp_path / "c.png", head, values) == tmp_path / "c.png"
    texts = " ".join(words(tmp_path / "c.png"))
    assert "x_002" in texts and ("theta_011" in texts) == (not values) and ("1.09" in texts) == values
    with pytest.raises(q.UserError, match=r"`path` must end in \.png; got 'c.pdf'\."):
        draw_circuit("c.pdf", head)


def test_each_weight_stands_in_the_gate_of_its_name(tmp_path):
    """By the place of a name in one drawing, and of its value in the other."""
    head, weights = q.QuantumHead(width=4), np.random.default_rng(3).permutation(16) / 7 + 0.1
    head.parameters.assign(weights)
    named, valued = (words_in_order(draw_circuit(tmp_path / f"{kind}.png", head, kind)) for kind in (False, True))
    assert len(named) == len(valued)
    pairs = [(name, value) for name, value in zip(named, valued, strict=True) if name.startswith("theta_")]
    assert sorted(name for name, _ in pairs) == [f"theta_{number:03d}" for number in range(16)]
    for name, value in pairs:
        assert float(value) == pytest.approx(weights[int(name[-3:])], abs=6e-3)


def test_equal_figures_are_equal_files(tmp_path):
    for name in ("one", "two"):
        expectation_distributions(tmp_path / f"{name}.png", FEATURES, LABELS, NAMES, list("01234"))
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_tensorboard_reads_the_projector_files(tmp_path):
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    images = RNG.integers(0, 256, (60, 6, 4, 1), dtype=np.uint8)
    path = write_projector(tmp_path, FEATURES, LABELS, NAMES, images)
    (embedding,) = text_format.Parse(path.read_text(), ProjectorConfig()).embeddings
    assert np.allclose(np.loadtxt(tmp_path / embedding.tensor_path), FEATURES, rtol=1e-5)
    assert (tmp_path / embedding.metadata_path).read_text().split() == [NAMES[label] for label in LABELS]
    assert list(embedding.sprite.single_image_dim) == [4, 6]  # width, height
    with Image.open(tmp_path / embedding.sprite.image_path) as picture:
        sheet = np.asarray(picture)
    for number in (0, 7, 8, 59):  # eight in a row
        row, column = divmod(number, 8)
        assert (sheet[6 * row : 6 * row + 6, 4 * column : 4 * column + 4, 0] == images[number, ..., 0]).all()


def test_thumbnails_stay_small_enough_for_a_browser():
    assert max(sprite(np.zeros((900, 600, 600, 3), np.uint8)).shape) <= 8192
