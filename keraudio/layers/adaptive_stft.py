"""Short-time Fourier transform whose window and DFT kernels are learned."""

import keras
import numpy as np
from keras import ops

from keraudio.layers.fourier import dft_kernels
from keraudio.layers.framing import frame_products, pad_signal, view_products
from keraudio.layers.kernel_path import kernels_only
from keraudio.layers.stft import STFT, power_of_square
from keraudio.layers.windows import cosine_window

MODES = ("magnitude", "real")
KERNELS = ("free", "low_rank", "fixed")


@keras.saving.register_keras_serializable(package="keraudio")
class AdaptiveSTFT(STFT):
    """STFT with a learnable window, learnable DFT kernels, or both (adaptive STFT, "STFT Layer implementation").

    Starts as the exact transform. Which way it computes is its own choice: by FFT as long as the kernels are those of
    the DFT (gradients reach the window through it), by matrix products once free kernels learn. Low-rank kernels stay
    with the FFT: each windowed frame `f` becomes `f + (f A) B`, with `A` of `(n_fft, rank)` and `B` of `(rank, n_fft)`
    learned, `B` from zero; any change of the kernels of rank `rank` has this form, as the DFT is invertible.

    `learn_window` and `learn_kernels` may be switched at any time; compile the model again before the next `fit`.

    Args:
        n_fft: int > 0, samples a frame is transformed over. Defaults to 1024.
        hop_length: int > 0, samples between successive frames. Defaults to 512.
        learn_window: bool, the window's coefficients are trained. Defaults to True.
        kernels: `"free"` (every coefficient by itself: `2 * n_fft * bins` weights), `"low_rank"` (`2 * n_fft * rank`
            weights) or `"fixed"` (no weights). Defaults to `"free"`.
        learn_kernels: bool, the kernels are trained. Defaults to True, but with `"fixed"`.
        rank: int > 0, of the low-rank change. Defaults to 8.
        transforms: int > 0, transforms side by side, each with weights of its own, as channels of the output. Defaults
            to 1.
        mode: `"magnitude"`, or `"real"` for the absolute value of the real part alone, which is what the authors' code
            computes and depends on phase; the imaginary kernels do not exist then. Defaults to `"magnitude"`.
        kernels_learned: bool, the free kernels may differ from the DFT's although they are not trained now. Kept for
            saved layers. Defaults to `learn_kernels`.
        **kwargs: `win_length`, `window`, `center`, `pad_mode` and `power` of `STFT`.

    Raises:
        ValueError: an argument is out of its range.

    Input shape:
        `(batch, samples)` or `(batch, samples, channels)`.

    Output shape:
        As `STFT`; `transforms`, where more than one, multiply the channels: `(batch, frames, bins, transforms)`.

    Example:
        >>> import numpy as np
        >>> layer = AdaptiveSTFT(256, 128, kernels="low_rank", transforms=3)
        >>> layer(np.zeros((2, 16000), "float32")).shape
        (2, 126, 129, 3)
        >>> layer.learn_kernels = False
        >>> [weight.name for weight in layer.trainable_weights]
        ['window']
    """

    def __init__(
        self,
        n_fft: int = 1024,
        hop_length: int = 512,
        *,
        learn_window: bool = True,
        kernels: str = "free",
        learn_kernels: bool | None = None,
        rank: int = 8,
        transforms: int = 1,
        mode: str = "magnitude",
        kernels_learned: bool | None = None,
        **kwargs,
    ):
        super().__init__(n_fft, hop_length, **kwargs)
        learn_kernels = kernels != "fixed" if learn_kernels is None else learn_kernels
        if kernels not in KERNELS:
            raise ValueError(f"`kernels` must be 'free', 'low_rank' or 'fixed'. Received: kernels={kernels!r}")
        if learn_kernels and kernels == "fixed":
            raise ValueError(
                "`learn_kernels` needs `kernels` of 'free' or 'low_rank'. Received: learn_kernels=True, kernels='fixed'"
            )
        if rank < 1:
            raise ValueError(f"`rank` must be at least 1. Received: rank={rank}")
        if transforms < 1:
            raise ValueError(f"`transforms` must be at least 1. Received: transforms={transforms}")
        if mode not in MODES:
            raise ValueError(f"`mode` must be 'magnitude' or 'real'. Received: mode={mode!r}")
        if mode == "real" and self.power is None:
            raise ValueError("`mode` 'real' needs a `power`. Received: mode='real', power=None")
        self.kernels = kernels
        self.rank = rank
        self.transforms = transforms
        self.mode = mode
        self.kernels_learned = learn_kernels if kernels_learned is None else kernels_learned
        self._switches = {"window": learn_window, "kernels": learn_kernels}
        self._switched: dict[str, list[keras.Variable]] = {"window": [], "kernels": []}

    def build(self, input_shape):
        window = cosine_window(self.window, self.win_length).astype("float32")
        self.windows = self._add("window", "window", (self.win_length,), lambda: np.tile(window, (self.transforms, 1)))
        bins = 1 + self.n_fft // 2
        if self.kernels == "free":
            cosines, sines = dft_kernels(self.n_fft)
            shape = (self.n_fft, bins)
            self.real_kernels = self._add("kernels", "real_kernels", shape, lambda: self._repeated(cosines))
            if self.mode == "magnitude":
                self.imag_kernels = self._add("kernels", "imag_kernels", shape, lambda: self._repeated(sines))
        elif self.kernels == "low_rank":
            spread = keras.initializers.RandomNormal(stddev=self.n_fft**-0.5)
            self.change_from = self._add("kernels", "change_from", (self.rank, self.n_fft), spread)
            self.change_to = self._add("kernels", "change_to", (self.rank, self.n_fft), "zeros")

    def _add(self, switch: str, name: str, shape: tuple[int, ...], initializer) -> keras.Variable:
        make = initializer
        if callable(initializer) and not isinstance(initializer, keras.initializers.Initializer):

            def make(shape, dtype=None):
                return ops.convert_to_tensor(initializer())

        weight = self.add_weight(
            name=name,
            shape=(self.transforms, *shape),
            dtype="float32",
            autocast=False,
            initializer=make,
        )
        # Made trainable and switched after: TensorFlow's tapes never watch a variable that was made without.
        weight.trainable = self._switches[switch] and self.trainable
        self._switched[switch].append(weight)
        return weight

    def _repeated(self, kernel: np.ndarray) -> np.ndarray:
        return np.broadcast_to(kernel, (self.transforms, *kernel.shape))

    @property
    def learn_window(self) -> bool:
        """Whether the window is trained."""
        return self._switches["window"]

    @learn_window.setter
    def learn_window(self, value: bool) -> None:
        self._switches["window"] = bool(value)
        self._apply_switches()

    @property
    def learn_kernels(self) -> bool:
        """Whether the kernels are trained."""
        return self._switches["kernels"]

    @learn_kernels.setter
    def learn_kernels(self, value: bool) -> None:
        if value and self.kernels == "fixed":
            raise ValueError(
                "`learn_kernels` needs `kernels` of 'free' or 'low_rank'. Received: learn_kernels=True, kernels='fixed'"
            )
        self._switches["kernels"] = bool(value)
        self.kernels_learned = self.kernels_learned or bool(value)
        self._apply_switches()

    # Keras' own setter would set every weight that was ever trained, whatever the switches say.
    @keras.layers.Layer.trainable.setter
    def trainable(self, value: bool) -> None:
        keras.layers.Layer.trainable.fset(self, value)
        self._apply_switches()

    def _apply_switches(self) -> None:
        for switch, weights in self._switched.items():
            for weight in weights:
                weight.trainable = self._switches[switch] and self.trainable

    def load_own_variables(self, store):
        super().load_own_variables(store)
        # Weights of a layer that has learned, loaded into one that has not.
        if self.kernels == "free" and not self.kernels_learned:
            self.kernels_learned = bool(self.kernel_change().any())

    def spectrogram(self, x):
        if self.kernels != "free" or not self.kernels_learned:
            return super().spectrogram(x)
        if self.center:
            x = pad_signal(x, self.n_fft // 2, self.pad_mode)
        parts = [self.real_kernels] if self.mode == "real" else [self.real_kernels, self.imag_kernels]
        # The kernels are smaller than the frames, so it is they that take the window.
        windows = [ops.expand_dims(self._frame_window_of(index), -1) for index in range(self.transforms)]
        kernels = [part[index] * window for index, window in enumerate(windows) for part in parts]
        products = [frame_products(x, kernel, self.hop_length) for kernel in kernels]
        pairs = [products[first : first + len(parts)] for first in range(0, len(products), len(parts))]
        return self._side_by_side([self._of_parts(*pair) for pair in pairs])

    def _of_parts(self, real, imag=None):
        if self.power is None:
            return ops.stack([real, imag], axis=-1)
        squared = real * real
        return power_of_square(squared if imag is None else squared + imag * imag, self.power)

    def transform(self, frames):
        results = []
        for index in range(self.transforms):
            window = self._frame_window_of(index)
            windowed = frames * window
            if self.kernels == "low_rank":
                # (f w) A B, with the window on the small matrix, which saves passes over the frames.
                rows = self.change_from[index] * window
                windowed = _add_low_rank(windowed, frames, rows, self.change_to[index], self.hop_length)
            results.append(self.spectrum(windowed))
        return self._side_by_side(results)

    def _frame_window_of(self, index: int):
        left = (self.n_fft - self.win_length) // 2
        return ops.pad(self.windows[index], [[left, self.n_fft - self.win_length - left]])

    def _side_by_side(self, results: list):
        if self.transforms == 1:
            return results[0]
        return ops.stack(results, axis=-1 if self.power is not None else -2)

    def spectrum(self, frames):
        if self.mode == "magnitude":
            return super().spectrum(frames)
        assert self.power is not None, "refused when the layer was made"
        if kernels_only():
            real = ops.matmul(frames, dft_kernels(self.n_fft)[0])
        else:
            real = ops.rfft(frames)[0]
        return power_of_square(real * real, self.power)

    def call(self, inputs):
        spectrum = super().call(inputs)
        if len(inputs.shape) == 3 and self.transforms > 1:
            shape = ops.shape(spectrum)
            channels = inputs.shape[2] * self.transforms
            spectrum = ops.reshape(spectrum, (*shape[:3], channels, *shape[5:]))
        return spectrum

    def learned_windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Each transform's window, `(transforms, win_length)`, and the one with which all began, `(win_length,)`."""
        return _array(self.windows), cosine_window(self.window, self.win_length).astype("float32")

    def window_change(self) -> np.ndarray:
        """Mean squared difference of each transform's window from where it began, `(transforms,)`."""
        windows, start = self.learned_windows()
        return np.mean((windows - start) ** 2, axis=1)

    def kernel_change(self) -> np.ndarray:
        """Frobenius norm of each transform's change of the complex kernels, `(transforms,)`."""
        return np.sqrt(np.sum(self.kernel_changes_of_bins() ** 2, axis=1))

    def kernel_changes_of_bins(self) -> np.ndarray:
        """Norm of the change of each bin's complex kernel, `(transforms, bins)`."""
        if self.kernels == "fixed":
            return np.zeros((self.transforms, 1 + self.n_fft // 2))
        # As the weights hold them: what was never learned has not changed, not even by rounding.
        kernels = [kernel.astype("float32") for kernel in dft_kernels(self.n_fft)]
        if self.kernels == "free":
            names = ("real_kernels", "imag_kernels")[: 1 if self.mode == "real" else 2]
            changes = [_array(getattr(self, name)) - start for name, start in zip(names, kernels, strict=False)]
        else:
            change = _array(self.change_from).transpose(0, 2, 1) @ _array(self.change_to)
            changes = [change @ kernel for kernel in kernels[: 1 if self.mode == "real" else 2]]
        return np.sqrt(sum(np.sum(change**2, axis=1) for change in changes))

    def changes(self) -> dict[str, float]:
        """What training logs of the layer: `window_change`, and `kernel_change` with kernels.

        Of several transforms each has its own: `window_change_1`, `window_change_2` ...
        """
        found = {"window_change": self.window_change()}
        if self.kernels != "fixed":
            found["kernel_change"] = self.kernel_change()
        return {
            name if self.transforms == 1 else f"{name}_{number}": float(value)
            for name, values in found.items()
            for number, value in enumerate(values, 1)
        }

    def compute_output_shape(self, input_shape):
        channels = tuple(input_shape[2:])
        if self.transforms > 1:
            channels = (self.transforms * (channels[0] if channels else 1),)
        return super().compute_output_shape((*input_shape[:2], *channels))

    def get_config(self):
        return {
            **super().get_config(),
            "learn_window": self.learn_window,
            "kernels": self.kernels,
            "learn_kernels": self.learn_kernels,
            "rank": self.rank,
            "transforms": self.transforms,
            "mode": self.mode,
            "kernels_learned": self.kernels_learned,
        }


def _add_low_rank(windowed, frames, change_from, change_to, hop_length: int):
    """`windowed + frames change_from^T change_to`; frames `(batch, frames, n_fft)`, matrices `(rank, n_fft)`."""
    if keras.backend.backend() == "torch" and not kernels_only():
        reduced = view_products(frames, ops.transpose(change_from), hop_length)
        return windowed.baddbmm_(reduced, change_to.expand(frames.shape[0], -1, -1))
    # Plain matrices, and in the order whose gradient is the fastest product.
    reduced = ops.einsum("tn,rn->tr", ops.reshape(frames, (-1, frames.shape[-1])), change_from)
    return windowed + ops.reshape(ops.matmul(reduced, change_to), ops.shape(windowed))


def _array(weight: keras.Variable) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(weight.value), dtype="float64")
