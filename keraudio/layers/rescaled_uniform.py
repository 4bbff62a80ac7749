"""How Demucs draws its kernels (Défossez et al. 2019, section 5)."""

import math

import keras


@keras.saving.register_keras_serializable(package="keraudio")
class RescaledUniform(keras.initializers.Initializer):
    """PyTorch's uniform kernels divided by the root of how far their deviation is above `reference`.

    Of `n` inputs those are within `1 / sqrt(n)`; wide layers thus begin less small than they would.

    Args:
        reference: deviation of kernels that stay as they are. Defaults to 0.1.

    Example:
        >>> kernel = RescaledUniform()((3, 1, 64, 128))
        >>> round(float(keras.ops.std(kernel)), 2)
        0.06
    """

    def __init__(self, reference: float = 0.1):
        self.reference = reference

    def __call__(self, shape, dtype=None):
        bound = math.prod(shape[:-1]) ** -0.5
        limit = bound / math.sqrt(bound / math.sqrt(3) / self.reference)
        return keras.initializers.RandomUniform(-limit, limit)(shape, dtype)

    def get_config(self):
        return {"reference": self.reference}
