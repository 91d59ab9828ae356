import keras
import numpy as np
import pytest

from qssl_tf.errors import UserError
from qssl_tf.models.encoders import ANGLE_BOUNDS, ENCODERS, BoundedAngle, CentredAngle, build_encoder

# Trainable parameters up to the width of 8, counted by hand from the layers of the cited tables:
# convolutions k*k*in*out, batch norms 2*out, the linear layer in*8+8.
RESNET_BODY = 11_180_616 - (7 * 7 * 3 * 64)
COUNTS = {
    "resnet18": ((32, 32, 3), 11_180_616),
    "resnet18_cifar": ((32, 32, 3), RESNET_BODY + 3 * 3 * 3 * 64),
    "vgg_tiny": ((32, 32, 3), 9 * (3 * 16 + 16 * 32 + 32 * 64 + 64 * 128 + 128 * 256) + 2 * 496 + 256 * 8 + 8),
    "vgg_small": ((16, 16, 3), 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256) + 2 * 480 + 256 * 8 + 8),
    "small_cnn": ((8, 8, 1), 9 * 32 + 64 + 9 * 32 * 64 + 128 + 9 * 64 * 128 + 256 + 128 * 8 + 8),
}


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize("name", ENCODERS)
def test_parameter_counts(name):
    shape, count = COUNTS[name]
    assert trainable(build_encoder(name, shape, 8, seed=0)) == count


def test_angle_norm_spreads_the_angles_over_their_range():
    images = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
    bounded, normed = (build_encoder("small_cnn", (8, 8, 1), 4, 0, angle_norm=norm) for norm in (False, True))
    assert np.std(normed(images, training=True)) > 3 * np.std(bounded(images, training=True))
    # Numbers with mean 0 and standard deviation 1 before the sigmoid, so angles are around pi / 2.
    np.testing.assert_allclose(np.mean(normed(images, training=True), axis=0), np.pi / 2, atol=0.1)
    assert trainable(normed) == trainable(bounded) - 4 + 2 * 4  # the offset of the norm is the bias


def test_resnet_body_counted_from_its_table():
    count = 128 + 512 * 8 + 8  # stem's batch norm and the linear layer
    for inputs, filters in ((64, 64), (64, 128), (128, 256), (256, 512)):
        count += 9 * inputs * filters + 3 * 9 * filters * filters + 4 * 2 * filters
        count += (inputs * filters + 2 * filters) if inputs != filters else 0
    assert count == RESNET_BODY


def test_imagenet_stem_ends_in_one_pixel():
    encoder = build_encoder("resnet18", (32, 32, 3), 8, seed=0)
    sizes = {name: encoder.get_layer(name).output.shape[1] for name in ("stem_relu", "stem_pool", "stage4_block2_out")}
    assert sizes == {"stem_relu": 16, "stem_pool": 8, "stage4_block2_out": 1}


def test_strided_convolutions_pad_both_sides():
    """PyTorch's stride-2 convolution of padding 1 puts its first tap one pixel before the image."""
    image = np.zeros((1, 8, 8, 3), np.float32)
    image[0, 0, 0] = 1.0
    encoder = build_encoder("resnet18_cifar", (8, 8, 3), 2, seed=0)
    convolution = encoder.get_layer("stage2_block1_1_conv")
    probe = np.zeros((1, 8, 8, 64), np.float32)
    probe[0, 0, 0, 0] = 1.0
    response = convolution(probe).numpy()[0]
    np.testing.assert_allclose(response[0, 0], convolution.kernel.numpy()[1, 1, 0], rtol=1e-6)


def test_initial_weights():
    encoder = build_encoder("resnet18", (32, 32, 3), 8, seed=0)
    kernel = encoder.get_layer("stage3_block1_1_conv").kernel.numpy()  # 3x3, 128 -> 256
    assert abs(kernel.std() / np.sqrt(2 / (9 * 256)) - 1) < 0.02
    assert np.abs(kernel).max() > 4 * kernel.std()  # not truncated
    compress = encoder.get_layer("compress")
    bound = 512**-0.5
    for weights in (compress.kernel.numpy(), compress.bias.numpy()):
        assert np.abs(weights).max() <= bound
    assert np.abs(compress.kernel.numpy()).max() > 0.99 * bound
    assert abs(compress.kernel.numpy().std() / (bound / np.sqrt(3)) - 1) < 0.05


def test_equal_seeds_build_equal_encoders():
    first, second, other = (build_encoder("small_cnn", (8, 8, 1), 4, seed) for seed in (1, 1, 2))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(first.get_layer("block1_conv").kernel != other.get_layer("block1_conv").kernel)


def test_angles_are_bounded_by_pi():
    angles = BoundedAngle()(np.array([-50.0, 0.0, 50.0], np.float32)).numpy()
    np.testing.assert_allclose(angles, [0, np.pi / 2, np.pi], atol=1e-6)


def test_other_angle_bounds():
    h = np.array([-50.0, 0.0, 0.5, 50.0], np.float32)
    np.testing.assert_allclose(CentredAngle()(h), np.pi / 2 * np.tanh(h), atol=1e-6)
    np.testing.assert_array_equal(ANGLE_BOUNDS["none"]()(h), h)
    encoder = build_encoder("small_cnn", (8, 8, 1), 3, 0, angle_bound="centred")
    assert isinstance(encoder.layers[-1], CentredAngle)


def test_images_are_normalised_inside():
    encoder = build_encoder("resnet18", (32, 32, 3), 8, seed=0)
    image = np.broadcast_to(np.array([0.4914 + 0.2023, 0.4822, 0.4465 - 2 * 0.2010], np.float32), (1, 4, 4, 3))
    np.testing.assert_allclose(encoder.get_layer("normalise")(image)[0, 0, 0], [1, 0, -2], atol=1e-5)


def test_encoders_reload(tmp_path):
    encoder = build_encoder("small_cnn", (8, 8, 1), 3, seed=0)
    encoder.save(tmp_path / "encoder.keras")
    images = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "encoder.keras")(images), encoder(images))


def test_images_too_small_for_the_pools():
    with pytest.raises(UserError) as error:
        build_encoder("vgg_tiny", (8, 8, 1), 4, 0)
    assert str(error.value) == (
        "`encoder` must fit the images: this one halves them 4 times and needs 16 pixels; got 8. "
        "Take small_cnn or a larger `image_size`."
    )


def test_unknown_encoder():
    with pytest.raises(UserError, match=r"^`encoder` must be one of small_cnn, .*; got 'resnet'"):
        build_encoder("resnet", (8, 8, 1), 4, 0)
