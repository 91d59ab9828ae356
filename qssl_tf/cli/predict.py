"""`qssl predict`: the classes of a folder of new images, by a run's encoder, head and probe."""

from pathlib import Path

from qssl_tf.cli.flags import Parser
from qssl_tf.cli.runs import add_run_flags, named_run
from qssl_tf.errors import UserError, counted


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Name the class of each image of a folder, by a probed run.")
    add_run_flags(flags)
    flags.add_argument(
        "--images", type=Path, required=True, metavar="FOLDER", help="image files, also in folders within"
    )
    flags.add_argument("--output", type=Path, metavar="FILE", help="the table (default: predictions.csv of the run)")
    flags.add_argument("--checkpoint", default="last", metavar="STEP", help="the step that was probed (default: last)")
    return flags


def main() -> None:
    """Write a table of files, classes and probabilities."""
    arguments = parser().parse_args()

    from qssl_tf.data.folders import read_images
    from qssl_tf.evaluation.trained_run import load_run
    from qssl_tf.files.spreadsheet import cell, csv_text
    from qssl_tf.files.write import write_text
    from qssl_tf.markup import printable
    from qssl_tf.training.runs import own_folder

    if not arguments.images.is_dir():
        raise UserError(f"the folder of images {arguments.images} does not exist; name one that does.")
    run = load_run(named_run(arguments).folder, arguments.checkpoint)
    files, images = read_images(arguments.images, tuple(run.model.encoder.input_shape[1:]))
    probabilities = run.probabilities(images)  # (n, classes)
    head, rows = ["file", "class", "probability", *(f"probability of {name}" for name in run.class_names)], []
    for path, row in zip(files, probabilities, strict=True):
        name = cell(printable(path.relative_to(arguments.images).as_posix()))
        likeliest = cell(run.class_names[row.argmax()])
        rows.append([name, likeliest, f"{row.max():.4f}", *(f"{value:.4f}" for value in row)])
    output = arguments.output or own_folder(run.folder, arguments.runs_dir) / "predictions.csv"
    write_text(output, csv_text(head, rows))
    print(f"{counted(len(files), 'image')}: {output}")
