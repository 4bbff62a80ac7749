"""A folder of folders: each sub-folder's name is a label, the audio files anywhere below it are its clips."""

import logging
from pathlib import Path

from keraudio.datasets.manifest import Clip, Manifest
from keraudio.errors import DatasetError

logger = logging.getLogger(__name__)


def load_folder(path: Path | str) -> Manifest:
    """A folder whose sub-folders are the labels: `PATH/rock/band/song.mp3` is a clip with the label `rock`.

    Hidden folders, links to folders and folders without audio are no labels. Audio files directly in `path` have no
    label: they are ignored, with a count in a warning.

    Args:
        path: the folder.

    Returns:
        A single-label manifest with labels in sorted order, without splits, folds or groups. The id of a clip is its
        path below `path`, with forward slashes.

    Raises:
        DatasetError: not a folder, or fewer than two sub-folders with audio.
    """
    from keraudio.audio import find_audio

    root = Path(path)
    try:
        children = sorted(root.iterdir())
    except OSError as error:
        raise DatasetError(f"{root}: a folder of folders is needed: {error.strerror or error}") from error
    folders = [
        child for child in children if not child.name.startswith(".") and child.is_dir() and not child.is_symlink()
    ]
    clips: list[Clip] = []
    labels: list[str] = []
    for folder in folders:
        files = find_audio([folder])
        if not files:
            logger.warning("%s: no audio in folder %r, which is therefore no label", root, folder.name)
            continue
        labels.append(folder.name)
        clips.extend(Clip(file, (folder.name,), file.relative_to(root).as_posix()) for file in files)
    loose = len(find_audio([root], recursive=False))
    if loose:
        logger.warning("%s: %d audio files ignored: they lie in no label's folder", root, loose)
    if len(labels) < 2:
        raise DatasetError(
            f"{root}: at least two sub-folders with audio are needed, one a label. Received: {len(labels)} "
            f"({', '.join(labels) or 'none'}), {loose} audio files in no sub-folder"
        )
    return Manifest(root.resolve().name, tuple(clips), tuple(labels), multi_label=False)
