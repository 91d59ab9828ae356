"""ENCODERS: convolutional backbones, and the encoder that compresses their outputs to bounded angles."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from qssl_tf.arguments import checks_arguments
from qssl_tf.commands import argument
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.models.batch_norm import BatchNormalization
from qssl_tf.models.convolution import Conv2D
from qssl_tf.models.initializers import SeedStream, conv_kernel, dense
from qssl_tf.models.precision import at_least_float32


def _conv_bn(x, filters: int, kernel: int, stride: int, seeds: SeedStream, name: str, activation: str | None = "relu"):
    """Convolution without bias, batch norm and activation, with PyTorch's padding."""
    kernels = conv_kernel(seeds.next())
    x = Conv2D(filters, kernel, strides=stride, kernel_initializer=kernels, name=f"{name}_conv")(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_relu")(x) if activation else x


def _basic_block(x, filters: int, stride: int, seeds: SeedStream, name: str):
    """Two 3x3 convolutions with a shortcut (arXiv:1512.03385, Fig. 2)."""
    shortcut = x
    y = _conv_bn(x, filters, 3, stride, seeds, f"{name}_1")
    y = _conv_bn(y, filters, 3, 1, seeds, f"{name}_2", activation=None)
    if stride > 1 or x.shape[-1] != filters:
        shortcut = _conv_bn(x, filters, 1, stride, seeds, f"{name}_0", activation=None)
    return layers.Activation("relu", name=f"{name}_out")(layers.Add(name=f"{name}_add")([y, shortcut]))


def _residual_stages(x, seeds: SeedStream):
    for stage, filters in enumerate((64, 128, 256, 512), start=1):
        for block in (1, 2):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _basic_block(x, filters, stride, seeds, f"stage{stage}_block{block}")
    return layers.GlobalAveragePooling2D(name="pool")(x)  # (n, 512)


def resnet18(x, seeds: SeedStream):
    """ResNet-18 with the ImageNet stem, as in the paper (arXiv:1512.03385, Table 1): 512 outputs."""
    x = _conv_bn(x, 64, 7, 2, seeds, "stem")
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # zeros are safe, as values are non-negative after the ReLU
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    return _residual_stages(x, seeds)


def resnet18_cifar(x, seeds: SeedStream):
    """ResNet-18 with a 3x3 stem and no max-pool, for small images (arXiv:2002.05709, Appendix B.9): 512 outputs."""
    return _residual_stages(_conv_bn(x, 64, 3, 1, seeds, "stem"), seeds)


def small_cnn(x, seeds: SeedStream):
    """Three convolutions, the first two followed by max-pooling, for small characters: 128 outputs."""
    for index, filters in enumerate((32, 64, 128), start=1):
        x = _conv_bn(x, filters, 3, 1, seeds, f"block{index}")
        if index < 3:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{index}_pool")(x)
    return layers.GlobalAveragePooling2D(name="pool")(x)  # (n, 128)


def _vgg(x, widths: Sequence[int], seeds: SeedStream):
    """One 3x3 convolution per width, all but the last followed by a max-pool of 2."""
    smallest = 2 ** (len(widths) - 1)
    if min(x.shape[1:3]) < smallest:
        raise UserError(
            f"`encoder` must fit the images: this one halves them {len(widths) - 1} times and needs {smallest} pixels; "
            f"got {min(x.shape[1:3])}. Take small_cnn or a larger {argument('image_size')}."
        )
    for index, filters in enumerate(widths, start=1):
        x = _conv_bn(x, filters, 3, 1, seeds, f"block{index}")
        if index < len(widths):
            x = layers.MaxPooling2D(2, name=f"block{index}_pool")(x)
    return layers.GlobalAveragePooling2D(name="pool")(x)


def vgg_tiny(x, seeds: SeedStream):
    """Five convolutions in the style of VGG (arXiv:1409.1556), 16 to 256 wide, for images of at least 16 pixels."""
    return _vgg(x, (16, 32, 64, 128, 256), seeds)


def vgg_small(x, seeds: SeedStream):
    """Four convolutions in the style of VGG (arXiv:1409.1556), 32 to 256 wide, for images of at least 8 pixels."""
    return _vgg(x, (32, 64, 128, 256), seeds)


# Name -> function (images, seeds) -> backbone outputs, shape (n, outputs).
ENCODERS: dict[str, Callable[[Any, SeedStream], Any]] = {
    "small_cnn": small_cnn,
    "vgg_tiny": vgg_tiny,
    "vgg_small": vgg_small,
    "resnet18": resnet18,
    "resnet18_cifar": resnet18_cifar,
}

# Name -> number of backbone outputs, to estimate sizes before a network is built.
BACKBONE_OUTPUTS = {"small_cnn": 128, "vgg_tiny": 256, "vgg_small": 256, "resnet18": 512, "resnet18_cifar": 512}

# Number of channels -> channel means and standard deviations: CIFAR-10's as in the paper, plain centring for gray.
CHANNEL_STATISTICS = {1: ((0.5,), (0.5,)), 3: ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))}


@keras.saving.register_keras_serializable(package="qssl_tf")
class BoundedAngle(layers.Layer):
    """Map any number to an angle in [0, pi] radians: pi * sigmoid(h) (arXiv:2103.14653, Section 4)."""

    def call(self, inputs):
        """Return the angles, in the shape of the inputs."""
        return math.pi * keras.ops.sigmoid(inputs)

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs."""
        return input_shape


@keras.saving.register_keras_serializable(package="qssl_tf")
class CentredAngle(layers.Layer):
    """Map any number to an angle in [-pi/2, pi/2] radians: pi / 2 * tanh(h), which is symmetric about 0."""

    def call(self, inputs):
        """Return the angles, in the shape of the inputs."""
        return math.pi / 2 * keras.ops.tanh(inputs)

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs."""
        return input_shape


# Name -> last layer of the encoder. The paper uses `sigmoid` for all heads; the others may suit classical heads better.
ANGLE_BOUNDS: dict[str, Callable[..., layers.Layer]] = {
    "sigmoid": BoundedAngle,
    "centred": CentredAngle,
    "none": layers.Identity,
}


@checks_arguments
def build_encoder(
    name: str,
    image_shape: Sequence[int],
    width: int,
    seed: int = 0,
    angle_norm: bool = False,
    angle_bound: str = "sigmoid",
) -> keras.Model:
    """Return the network from images to angles: normalise, apply the backbone, compress to `width` numbers, bound.

    Args:
        name: Key of ENCODERS.
        image_shape: Height, width and channels; images hold float32 in [0, 1].
        width: Number of angles.
        seed: Seed of the weights, which do not depend on the head.
        angle_norm: Whether to apply batch norm before the bound, so that angles cover their range from the first step;
            not in the paper.
        angle_bound: Key of ANGLE_BOUNDS.

    Returns:
        A Keras model from (n, height, width, channels) to (n, width), in radians if bounded.
    """
    if name not in ENCODERS:
        raise unknown_name("encoder", name, ENCODERS)
    seeds = SeedStream(seed, part=0)
    mean, deviation = CHANNEL_STATISTICS[image_shape[-1]]
    images = keras.Input(tuple(image_shape), name="images")
    full = at_least_float32()  # bytes fit no shorter number, and an angle of 8 bits would be seen in the features
    variances = [value**2 for value in deviation]
    x = layers.Normalization(mean=mean, variance=variances, dtype=full, name="normalise")(images)
    outputs = ENCODERS[name](x, seeds)  # (n, outputs)
    compress = dense(width, outputs.shape[-1], seeds, use_bias=not angle_norm, dtype=full, name="compress")
    h = compress(outputs)  # (n, width)
    if angle_norm:
        h = BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=full, name="angle_bn")(h)
    return keras.Model(images, ANGLE_BOUNDS[angle_bound](dtype=full, name="angles")(h), name="encoder")
