"""Your own images: arrays, a folder of files, any `tf.data`. Run it: `python examples/own_data.py`."""

import tempfile
from pathlib import Path

import qssl_tf as q  # first: it keeps TensorFlow's messages off the terminal

# isort: split
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)  # in place of your own
images = images.reshape(-1, 8, 8) / 16  # fractions; bytes from 0 to 255 are as good
settings = q.Config(width=4, steps=60, batch_size=128, probe_epochs=20)

# Arrays.
data = q.ImageData.from_arrays(images, labels)
run = q.pretrain(data, settings)
print(f"arrays: {q.linear_probe(run).accuracy_last:.1f} % of {len(data.test)} test images")

# Any tf.data, of single images or batches, with labels or without.
dataset = tf.data.Dataset.from_tensor_slices((images, labels)).map(lambda image, label: (image[..., None], label))
print("tf.data:", q.ImageData.from_dataset(dataset.batch(100)).train.images.shape)

# A folder with one folder of files for each class. The commands take it as well:
# python trainers/pretrain.py --dataset folder --data-dir FOLDER
with tempfile.TemporaryDirectory() as folder:
    for number, (image, label) in enumerate(zip(images[:200], labels, strict=False)):
        place = Path(folder) / str(label)
        place.mkdir(exist_ok=True)
        Image.fromarray((255 * image).astype("uint8")).save(place / f"{number}.png")
    print("folder:", q.ImageData.from_folder(folder).class_names)
