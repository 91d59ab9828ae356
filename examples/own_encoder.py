"""Your own encoder, any Keras model, registered and then a word like `resnet18`.

python trainers/pretrain.py --plugin examples/own_encoder.py --encoder separable
"""

import qssl_tf as q  # first: it keeps TensorFlow's messages off the terminal

# isort: split
import keras


@q.register_encoder("separable")
def separable(image_shape):
    """Three separable convolutions; the mean over the last feature maps is taken by the library."""
    stack = [keras.Input(image_shape)]
    for filters in (32, 64, 128):
        stack += [
            keras.layers.SeparableConv2D(filters, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),  # settled after a few dozen steps
            keras.layers.ReLU(),
        ]
    return keras.Sequential(stack)


if __name__ == "__main__":
    run = q.pretrain(config=q.Config(encoder="separable", width=6, steps=80, batch_size=128, probe_epochs=20))
    print(f"separable: {q.linear_probe(run).accuracy_last:.1f} %")
