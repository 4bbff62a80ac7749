"""Reading TensorFlow-1 checkpoints; it stands here because TensorFlow is named in no other part."""

from pathlib import Path

import numpy as np

from keraudio.errors import KeraudioError, ModelFileError


def read_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint whose files are `.index` and `.data-00000-of-00001` in `folder`.

    Raises:
        KeraudioError: TensorFlow is not installed.
        ModelFileError: they are no checkpoint.
    """
    try:
        import tensorflow as tf
    except ImportError:
        raise KeraudioError(
            "Reading a TensorFlow checkpoint needs TensorFlow: pip install 'keraudio[tensorflow]'"
        ) from None
    try:
        # Not `load_checkpoint`, which takes a folder for one with a state file.
        reader = tf.compat.v1.train.NewCheckpointReader(f"{folder}/")
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except Exception as error:
        raise ModelFileError(f"{folder.name}: not a whole checkpoint: {str(error).splitlines()[0]}") from None
