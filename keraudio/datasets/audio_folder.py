"""Any folder of audio, without labels: what front ends are pretrained on."""

from dataclasses import replace
from pathlib import Path

from keraudio.datasets.manifest import Clip, Manifest
from keraudio.errors import DatasetError

NO_LABEL = "sound"


def load_audio_folder(path: Path | str) -> Manifest:
    """Every audio file anywhere below a folder, unlabelled: for `keraudio pretrain`.

    Args:
        path: the folder.

    Returns:
        A manifest whose clips all carry the label `"sound"`, without splits, folds or groups. The id of a clip is its
        path below `path`, with forward slashes.

    Raises:
        DatasetError: not a folder, or without audio.
    """
    from keraudio.audio import find_audio

    root = Path(path)
    if not root.is_dir():
        raise DatasetError(f"{root}: a folder is needed")
    files = find_audio([root])
    if not files:
        raise DatasetError(f"{root}: a folder with audio is needed. Received: none below it")
    clips = [Clip(file, (NO_LABEL,), file.relative_to(root).as_posix()) for file in files]
    return Manifest(root.resolve().name, tuple(clips), (NO_LABEL,), multi_label=False)


def without_labels(manifest: Manifest, *, prefix: str = "", split: str | None = None) -> Manifest:
    """The same clips without their labels, to be learned from as they sound.

    Args:
        manifest: the clips.
        prefix: of their ids and groups, where several manifests are joined. Defaults to none.
        split: that all of them go to. Defaults to None, their own.
    """
    clips = tuple(
        replace(
            clip,
            labels=(NO_LABEL,),
            id=f"{prefix}{clip.id}",
            group=None if clip.group is None else f"{prefix}{clip.group}",
            split=clip.split if split is None else split,
        )
        for clip in manifest.clips
    )
    return Manifest(manifest.name, clips, (NO_LABEL,), multi_label=False)
