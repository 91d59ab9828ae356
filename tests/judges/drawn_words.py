"""What stands in a figure, read from its files by other programs than the one that drew them."""

import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from qssl_tf.plots.style import DPI, PAGE


def words(path):
    """Check a figure and its twin of vectors; return the set of its texts."""
    return set(words_in_order(path))


def words_in_order(path):
    """Return the SVG's comments, in which matplotlib keeps its texts, in the order in which they were drawn."""
    with Image.open(path) as picture:
        picture.load()
        assert picture.width <= (PAGE + 1.5) * DPI and len(np.unique(np.asarray(picture.convert("L")))) > 2
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    root = ET.parse(path.with_suffix(".svg"), parser).getroot()
    assert not plt.get_fignums(), "a figure was left open"
    return [node.text.strip() for node in root.iter() if node.tag is ET.Comment]
