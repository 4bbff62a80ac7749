"""MusiCNN and its VGG in NumPy, float64, from the original's tensors by the original's names."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

MUSICNN_SHAPES = {
    "conv2d": (7, 38, 1, 204),
    "conv2d_1": (7, 67, 1, 204),
    "conv2d_2": (128, 1, 1, 51),
    "conv2d_3": (64, 1, 1, 51),
    "conv2d_4": (32, 1, 1, 51),
    "conv2d_5": (7, 561, 1, 64),
    "conv2d_6": (7, 64, 1, 64),
    "conv2d_7": (7, 64, 1, 64),
    "dense": (1506, 200),
    "dense_1": (200, 50),
}
MUSICNN_NORMS = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)
VGG_SHAPES = {"1CNN": (3, 3, 1, 128), **{f"{i}CNN": (3, 3, 128, 128) for i in range(2, 6)}, "dense": (256, 50)}
VGG_NORMS = (1, 128, 128, 128, 128, 128)


def random_tensors(name: str, seed: int) -> dict[str, np.ndarray]:
    """Tensors of a checkpoint, and one of an optimizer, that keep activations of the size of their input."""
    random = np.random.default_rng(seed)
    shapes, norms = (VGG_SHAPES, VGG_NORMS) if name.endswith("vgg") else (MUSICNN_SHAPES, MUSICNN_NORMS)
    tensors = {"beta1_power": np.float32(0.9)}
    for scope, shape in shapes.items():
        tensors[f"{scope}/kernel"] = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
        tensors[f"{scope}/bias"] = random.standard_normal(shape[-1]) * 0.1
    for i, channels in enumerate(norms):
        scope = f"batch_normalization_{i}" if i else "batch_normalization"
        tensors[f"{scope}/gamma"] = random.uniform(0.5, 1.5, channels)
        tensors[f"{scope}/beta"] = random.standard_normal(channels) * 0.1
        tensors[f"{scope}/moving_mean"] = random.standard_normal(channels) * 0.1
        tensors[f"{scope}/moving_variance"] = random.uniform(0.5, 1.5, channels)
    return {name: np.asarray(value, "float32") for name, value in tensors.items()}


class Original:
    """The network as the authors' `models.py` words it, for one window `(frames, bins)`."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.tensors = {name: value.astype("float64") for name, value in tensors.items()}

    def conv(self, x, scope, *, pad=(0, 0)):
        """`(frames, bins, channels)`, correlated and rectified; padding in all of time and of bins."""
        kernel, bias = self.tensors[f"{scope}/kernel"], self.tensors[f"{scope}/bias"]
        # TensorFlow puts the odd one of "same" at the end.
        sides = [(total // 2, total - total // 2) for total in pad]
        x = np.pad(x, [*sides, (0, 0)])
        patches = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
        return np.maximum(np.tensordot(patches, kernel, ((3, 4, 2), (0, 1, 2))) + bias, 0)

    def norm(self, x, number):
        scope = f"batch_normalization_{number}" if number else "batch_normalization"
        gamma, beta, mean, variance = (
            self.tensors[f"{scope}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / np.sqrt(variance + 0.001) * gamma + beta

    def dense(self, x, scope):
        return x @ self.tensors[f"{scope}/kernel"] + self.tensors[f"{scope}/bias"]

    def musicnn(self, features):
        """Penultimate values and tags."""
        x = self.norm(features[..., None], 0)
        parts = [
            self.norm(self.conv(x, scope, pad=pad), number).max(axis=1)
            for number, (scope, pad) in enumerate(
                [
                    ("conv2d", (6, 0)),
                    ("conv2d_1", (6, 0)),
                    ("conv2d_2", (127, 0)),
                    ("conv2d_3", (63, 0)),
                    ("conv2d_4", (31, 0)),
                ],
                start=1,
            )
        ]
        levels = [np.concatenate(parts, axis=1)]
        for number, scope in ((6, "conv2d_5"), (7, "conv2d_6"), (8, "conv2d_7")):
            y = self.norm(self.conv(levels[-1][..., None], scope, pad=(6, 0)), number)[:, 0]
            levels.append(y if number == 6 else y + levels[-1])
        joined = np.concatenate(levels, axis=1)
        pooled = np.stack([joined.max(axis=0), joined.mean(axis=0)], axis=1).reshape(-1)
        penultimate = self.norm(np.maximum(self.dense(self.norm(pooled, 9), "dense"), 0), 10)
        return penultimate, 1 / (1 + np.exp(-self.dense(penultimate, "dense_1")))

    def vgg(self, features, name):
        """The last pool and tags; the two checkpoints' graphs differ in the first pools."""
        x = self.norm(features[..., None], 0)
        first = [((4, 1), (4, 1)), ((1, 4), (1, 4))] if name == "MSD_vgg" else [((4, 1), (2, 2)), ((2, 2), (2, 2))]
        sizes = [*first, ((2, 2), (2, 2)), ((2, 2), (2, 2)), ((4, 4), (4, 4))]
        for number, (size, strides) in enumerate(sizes, start=1):
            x = self.norm(self.conv(x, f"{number}CNN", pad=(2, 2)), number)
            x = sliding_window_view(x, size, axis=(0, 1))[:: strides[0], :: strides[1]].max(axis=(3, 4))
        embedding = x.reshape(-1)
        return embedding, 1 / (1 + np.exp(-self.dense(embedding, "dense")))
