"""Mel-frequency cepstral coefficients of a log-mel spectrogram."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keraudio")
class MFCC(keras.layers.Layer):
    """The first coefficients of each frame's cosine transform, as `librosa.feature.mfcc` of a log-mel spectrogram.

    The cosines are a weight that is not trained: like mel filters, they travel with the model file. Computed in
    float32; the result follows the dtype policy.

    Args:
        n_mfcc: int > 0, number of coefficients, at most the number of bands. Defaults to 20.
        dct_type: 1, 2 or 3, of the discrete cosine transform. Defaults to 2.
        norm: `"ortho"` (the transform keeps lengths) or None (SciPy's unscaled sums). Defaults to `"ortho"`.
        lifter: float >= 0; above 0, coefficient `k` is multiplied by `1 + lifter / 2 * sin(pi * (k + 1) / lifter)`,
            which lifts the higher ones. Defaults to 0, none.

    Raises:
        ValueError: an argument is out of its range, or the input has fewer bands than coefficients.

    Input shape:
        `(batch, frames, n_mels)` or `(batch, frames, n_mels, channels)`, logarithmic (decibels).

    Output shape:
        `(batch, frames, n_mfcc)` or `(batch, frames, n_mfcc, channels)`.

    Example:
        >>> import numpy as np
        >>> MFCC(13)(np.ones((2, 10, 128), "float32")).shape
        (2, 10, 13)
    """

    def __init__(
        self, n_mfcc: int = 20, *, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0.0, **kwargs
    ):
        super().__init__(autocast=False, **kwargs)
        if n_mfcc < 1:
            raise ValueError(f"`n_mfcc` must be at least 1. Received: n_mfcc={n_mfcc}")
        if dct_type not in (1, 2, 3):
            raise ValueError(f"`dct_type` must be 1, 2 or 3. Received: dct_type={dct_type}")
        if norm not in ("ortho", None):
            raise ValueError(f"`norm` must be 'ortho' or None. Received: norm={norm!r}")
        if lifter < 0:
            raise ValueError(f"`lifter` must be at least 0. Received: lifter={lifter}")
        self.n_mfcc = n_mfcc
        self.dct_type = dct_type
        self.norm = norm
        self.lifter = lifter

    def build(self, input_shape):
        n_mels = input_shape[2]
        fewest = max(self.n_mfcc, 2 if self.dct_type == 1 else 1)
        if n_mels < fewest:
            raise ValueError(
                "The input must have at least `n_mfcc` bands, and 2 for `dct_type` 1. "
                f"Received: n_mfcc={self.n_mfcc}, dct_type={self.dct_type}, input_shape={tuple(input_shape)}"
            )
        self.cosines = self.add_weight(
            name="cosines",
            shape=(n_mels, self.n_mfcc),
            dtype="float32",
            autocast=False,
            trainable=False,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(self._matrix(n_mels).astype("float32")),
        )

    def _matrix(self, n_mels: int) -> np.ndarray:
        matrix = cosine_matrix(n_mels, dct_type=self.dct_type, norm=self.norm)[:, : self.n_mfcc]
        if self.lifter:
            matrix = matrix * (1 + self.lifter / 2 * np.sin(np.pi * np.arange(1, self.n_mfcc + 1) / self.lifter))
        return matrix

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        cosines = ops.convert_to_tensor(self.cosines)
        x = ops.matmul(x, cosines) if len(x.shape) == 3 else ops.einsum("btfc,fk->btkc", x, cosines)
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.n_mfcc, *input_shape[3:])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "n_mfcc": self.n_mfcc,
            "dct_type": self.dct_type,
            "norm": self.norm,
            "lifter": self.lifter,
        }


def cosine_matrix(size: int, *, dct_type: int, norm: str | None) -> np.ndarray:
    """Matrix `(size, size)` by which rows are multiplied for their discrete cosine transform, as `scipy.fft.dct`.

    Written out here because importing `scipy.fft` takes longer than loading a model.
    """
    n, k = np.arange(size)[:, None], np.arange(size)[None, :]
    # Weights of an input's and an output's ends, by which the unscaled transforms fall short of orthogonal ones.
    rows, columns = np.ones((size, 1)), np.ones((1, size))
    if dct_type == 1:
        matrix = 2 * np.cos(np.pi * n * k / (size - 1))
        rows[[0, -1]] = columns[:, [0, -1]] = np.sqrt(0.5)
        scale = np.sqrt(0.5 / (size - 1))
    elif dct_type == 2:
        matrix = 2 * np.cos(np.pi * k * (2 * n + 1) / (2 * size))
        columns[:, 0] = np.sqrt(0.5)
        scale = np.sqrt(0.5 / size)
    else:
        matrix = 2 * np.cos(np.pi * n * (2 * k + 1) / (2 * size))
        rows[0] = np.sqrt(0.5)
        scale = np.sqrt(0.5 / size)
    # Unscaled, an end of the input counts half, and an end of the output whole.
    return np.asarray(matrix * rows * columns * scale if norm == "ortho" else matrix * rows**2)
