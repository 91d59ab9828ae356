"""A saved model loads after `import qssl_tf` alone, in whichever order Keras is imported."""

import ast

import keras
import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.keras_classes import CLASSES
from qssl_tf.models.build import build_simclr


def test_the_table_is_what_keras_knows_once_all_is_loaded():
    for home in CLASSES.values():
        __import__(f"qssl_tf.{home}")
    known = {name: kind for name, kind in keras.saving.get_custom_objects().items() if name.startswith("qssl_tf>")}
    homes = {name.removeprefix("qssl_tf>"): kind.__module__.removeprefix("qssl_tf.") for name, kind in known.items()}
    assert homes == CLASSES


@pytest.mark.parametrize(
    "imports", ["import keras, qssl_tf", "import qssl_tf, keras", "import qssl_tf, tensorflow, keras"]
)
def test_a_model_with_a_head_loads_by_its_import_alone(script, tmp_path, imports):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, q.QuantumHead(3, layers=1, seed=5)(q.BoundedAngle()(inputs)))
    model.save(tmp_path / "model.keras")
    numbers = np.array([[0.3, -1.2, 2.0]], "float32")
    code = (
        f"{imports}, sys, numpy as np\n"
        "assert 'qssl_tf.models.quantum_head' not in sys.modules\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        f"print(model(np.array({numbers.tolist()}, 'float32')).numpy().tolist())\n"
    )
    done = script("-c", code)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.array(ast.literal_eval(done.stdout)), model(numbers).numpy(), atol=1e-6)


def test_a_learner_loads_with_all_its_parts(script, tmp_path):
    settings = Config(width=2, encoder="small_cnn", angle_norm=True)
    model = build_simclr(settings, (8, 8, 1), augmentation(settings, (8, 8, 1)))
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import qssl_tf, keras, numpy as np\n"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r})\n"
        f"print(model(np.load({str(tmp_path / 'images.npy')!r})).numpy().tolist())\n"
    )
    done = script("-c", code)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.array(ast.literal_eval(done.stdout)), model(images).numpy(), atol=1e-5)


def test_keras_keeps_its_loader(script):
    code = (
        "import qssl_tf, keras, pkgutil, importlib.resources as resources\n"
        "print(any(resources.files('keras').iterdir()), pkgutil.get_data('keras', '__init__.py') is not None)\n"
    )
    assert script("-c", code).stdout == "True True\n"
