"""Folders of image files, written by Pillow and read back."""

import numpy as np
import pytest
from PIL import Image

from qssl_tf.data.images import ImageData
from qssl_tf.errors import UserError

RNG = np.random.default_rng(0)


def write(path, shape=(6, 6, 3), mode=None):
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path) if mode is None else Image.fromarray(pixels).convert(mode).save(path)
    return pixels


@pytest.fixture
def classes(tmp_path):
    """Ten images of cats and of dogs."""
    return {(name, number): write(tmp_path / name / f"{number}.png") for name in ("cat", "dog") for number in range(10)}


def test_a_folder_for_each_class(classes, tmp_path):
    data = ImageData.from_folder(tmp_path)
    assert data.class_names == ("cat", "dog") and data.name == tmp_path.name
    assert len(data.train) == 16 and np.bincount(data.test.labels).tolist() == [2, 2]
    for split in (data.train, data.test):
        for image, label in zip(split.images, split.labels, strict=True):
            assert any((image == classes[data.class_names[label], number]).all() for number in range(10))


def test_subfolders_of_a_class_belong_to_it_as_in_torchvision(tmp_path, capsys):
    """ImageFolder walks all subfolders of a class and follows links."""
    for name in ("cat", "dog"):
        for number in range(10):
            write(tmp_path / name / f"{number}.png")
            write(tmp_path / name / "more" / "indoors" / f"{number}.png")
    (tmp_path / "cat" / "again").symlink_to(tmp_path / "cat")  # a circular link
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path.with_name(f"{tmp_path.name}-linked") / "1.png")
    (tmp_path / "dog" / "linked").symlink_to(tmp_path.with_name(f"{tmp_path.name}-linked"))
    data = ImageData.from_folder(tmp_path, test_fraction=0)
    assert data.class_names == ("cat", "dog") and np.bincount(data.train.labels).tolist() == [20, 21]
    assert capsys.readouterr().out == f"left out of {tmp_path}: the folder elsewhere without images\n"


def test_other_files_are_skipped_in_one_line(classes, tmp_path, capsys):
    for name in ("one.heic", "two.heic", "notes"):
        (tmp_path / "cat" / name).write_text("no image")
    (tmp_path / "cat" / ".hidden").write_text("nothing")
    assert len(ImageData.from_folder(tmp_path, test_fraction=0).train) == 20
    assert capsys.readouterr().out == f"left out of {tmp_path}: 1 file, 2 files .heic\n"


def test_folders_beside_train_and_test_are_named(tmp_path, capsys):
    for split in ("train", "test", "val"):
        for name in ("a", "b"):
            write(tmp_path / split / name / "1.png")
    ImageData.from_folder(tmp_path)
    assert capsys.readouterr().out == f"left out of {tmp_path}: val\n"
    write(tmp_path / "train" / "2.png")
    with pytest.raises(
        UserError, match=r"train has folders of classes and must hold no images beside them; got 2\.png"
    ):
        ImageData.from_folder(tmp_path)


def test_photos_are_cropped_to_their_centre_and_not_stretched(tmp_path, capsys):
    """A disc stays a disc, as with torchvision's CenterCrop to the shorter side and Resize."""
    rows, columns = np.mgrid[:40, :80]
    disc = np.where((rows - 19.5) ** 2 + (columns - 39.5) ** 2 < 15**2, 255, 0).astype(np.uint8)
    for number in range(4):
        tmp_path.joinpath("c").mkdir(exist_ok=True)
        Image.fromarray(disc if number % 2 else disc.T).save(tmp_path / "c" / f"{number}.png")
    write(tmp_path / "d" / "square.png", (20, 20))
    data = ImageData.from_folder(tmp_path, image_size=20, test_fraction=0)
    judge = np.asarray(Image.fromarray(disc[:, 20:60]).resize((20, 20), Image.Resampling.BILINEAR))
    for image in data.train.images[:4]:
        np.testing.assert_array_equal(image[..., 0], judge)
    assert capsys.readouterr().out == (
        f"{tmp_path.name}: 4 of 5 images are not square; the square in their middle is taken\n"
    )


def test_a_class_of_any_name_is_read(tmp_path):
    import os

    for name in (b"caf\xe9", b"$$"):
        class_folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(class_folder)
        for number in range(2):
            write(tmp_path / "x.png")
            os.rename(tmp_path / "x.png", os.path.join(class_folder, b"%d.png" % number))
    assert ImageData.from_folder(tmp_path, test_fraction=0).class_names == ("$$", r"caf\xe9")


def test_folders_train_and_test(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        for name in ("a", "b"):
            for number in range(count):
                write(tmp_path / split / name / f"{number}.png")
    data = ImageData.from_folder(tmp_path)
    assert (len(data.train), len(data.test)) == (6, 4) and data.test.labels.tolist() == [0, 0, 1, 1]


def test_files_without_folders_have_no_labels(tmp_path):
    for number in range(10):
        write(tmp_path / f"{number}.png", (6, 6))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    data = ImageData.from_folder(tmp_path)
    assert data.class_names == () and len(data.train) + len(data.test) == 10 and data.image_shape == (6, 6, 1)


def test_one_coloured_image_makes_all_rgb(tmp_path):
    gray = [write(tmp_path / f"{number}.png", (6, 6)) for number in range(9)]
    write(tmp_path / "colour.png")
    data = ImageData.from_folder(tmp_path, test_fraction=0)
    assert data.image_shape == (6, 6, 3)
    assert (data.train.images[0] == np.repeat(gray[0][..., None], 3, axis=2)).all()


def test_sixteen_bits_become_eight_without_clipping(tmp_path):
    deep = np.arange(36, dtype=np.uint16).reshape(6, 6) * 1800
    for number in range(5):
        Image.fromarray(deep).save(tmp_path / f"{number}.png")
    assert (ImageData.from_folder(tmp_path).train.images[0, ..., 0] == deep // 256).all()


def test_images_are_rotated_as_their_exif_data_say(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    for number in range(5):
        wide = Image.fromarray(np.full((4, 8, 3), 9, np.uint8))
        wide.save(tmp_path / f"{number}.png", exif=exif)
    assert ImageData.from_folder(tmp_path).image_shape == (8, 4, 3)


def test_sizes_may_differ_if_they_are_resized(classes, tmp_path):
    write(tmp_path / "dog" / "large.png", (9, 12, 3))
    with pytest.raises(UserError) as error:
        ImageData.from_folder(tmp_path)
    assert str(error.value) == (
        f"images in {tmp_path} differ in size (6 x 6 and 9 x 12 pixels, for example); say with `image_size` to which "
        "side to resize them."
    )
    assert ImageData.from_folder(tmp_path, image_size=8).image_shape == (8, 8, 3)


def test_broken_images_are_named_and_skipped_only_on_request(classes, tmp_path, capsys):
    (tmp_path / "dog" / "half.png").write_bytes((tmp_path / "dog" / "0.png").read_bytes()[:60])
    (tmp_path / "cat" / "text.jpg").write_text("no image")
    with pytest.raises(UserError) as error:
        ImageData.from_folder(tmp_path)
    message = str(error.value)
    assert message.startswith(f"2 images in {tmp_path} cannot be read: cat/text.jpg (UnidentifiedImageError: cannot ")
    assert "dog/half.png (" in message and "\n" not in message
    assert message.endswith("mend or remove them, or leave them out with `skip_broken_images=True`.")
    data = ImageData.from_folder(tmp_path, skip_broken_images=True)
    assert len(data.train) + len(data.test) == 20
    assert "left out 2 images" in capsys.readouterr().out


def test_invalid_folders_are_refused_in_one_line(tmp_path):
    sentences = []
    for prepare in (
        lambda: None,
        lambda: (tmp_path / "a").mkdir(),
        lambda: write(tmp_path / "a" / "train" / "x" / "1.png"),
        lambda: write(tmp_path / "b" / "x" / "1.png") is write(tmp_path / "b" / "2.png"),
    ):
        prepare()
        folder = tmp_path / ("b" if (tmp_path / "b").exists() else "a")
        with pytest.raises(UserError) as error:
            ImageData.from_folder(folder)
        sentences.append(str(error.value).replace(str(tmp_path), "T"))
    assert sentences[0] == "the folder of images T/a does not exist; name one that does."
    assert sentences[1].startswith("T/a must hold images (.png, .jpg") and sentences[1].endswith("for each class.")
    assert sentences[2] == "T/a has a folder train and must have a folder test beside it."
    assert sentences[3] == "T/b has folders of classes and must hold no images beside them; got 2.png."


def test_a_folder_of_unlabelled_images_beside_train_and_test(tmp_path):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            write(tmp_path / split / name / "1.png")
    pixels = [write(tmp_path / "unlabelled" / f"{number}.png") for number in range(5)]
    data = ImageData.from_folder(tmp_path)
    assert (len(data.train), len(data.test), data.train.labels.tolist()) == (7, 2, [0, 1, -1, -1, -1, -1, -1])
    np.testing.assert_array_equal(data.train.images[2:], pixels)


def test_a_folder_of_unlabelled_images_beside_those_of_classes(tmp_path):
    for name in ("a", "b"):
        for number in range(5):
            write(tmp_path / name / f"{number}.png")
    pixels = [write(tmp_path / "unlabelled" / "more" / "1.png"), write(tmp_path / "unlabelled" / "2.png")]
    data = ImageData.from_folder(tmp_path)
    assert data.class_names == ("a", "b") and np.sum(data.train.labels == -1) == 2 and -1 not in data.test.labels
    for image in pixels:
        assert any((image == other).all() for other in data.train.images[data.train.labels == -1])
