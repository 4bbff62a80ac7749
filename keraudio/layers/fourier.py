"""Fourier transforms of real frames whose gradients take one inverse transform, on every backend.

The backends' own gradient of `rfft` goes through a full complex transform (torch) or several passes over complex
tensors (TensorFlow). By hand it is one `irfft` of the weighted upstream gradient; `benchmarks/front_ends.py` has the
times.
"""

import functools

import keras
import numpy as np
from keras import ops

from keraudio.layers.own_gradient import own_gradient


def power_spectrum(frames, n_fft: int):
    """Squared magnitude `(..., 1 + n_fft // 2)` of the transform of `frames` `(..., n_fft)`."""

    @own_gradient
    def transform(x):
        real, imag = ops.rfft(x)

        def gradient(slopes):
            weights = slopes * _adjoint_weights(n_fft)
            return ops.irfft((2.0 * real * weights, 2.0 * imag * weights), fft_length=n_fft)

        return _squared_magnitude(real, imag), gradient

    return transform(frames)


def spectrum_parts(frames, n_fft: int):
    """Real and imaginary part `(..., 1 + n_fft // 2, 2)` of the transform of `frames` `(..., n_fft)`."""

    @own_gradient
    def transform(x):
        def gradient(slopes):
            weights = _adjoint_weights(n_fft)
            return ops.irfft((slopes[..., 0] * weights, slopes[..., 1] * weights), fft_length=n_fft)

        return ops.stack(ops.rfft(x), axis=-1), gradient

    return transform(frames)


def _squared_magnitude(real, imag):
    if keras.backend.backend() == "torch":
        # The parts are strided views of one complex tensor: two passes over them instead of three.
        return (real * real).addcmul_(imag, imag)
    return real * real + imag * imag


@functools.cache
def _weights(n_fft: int) -> np.ndarray:
    # `irfft` divides by n_fft and counts the bins between 0 and the Nyquist frequency twice; the adjoint does neither.
    weights = np.full(1 + n_fft // 2, n_fft / 2, dtype="float32")
    weights[0] = n_fft
    if n_fft % 2 == 0:
        weights[-1] = n_fft
    return weights


def _adjoint_weights(n_fft: int):
    return ops.convert_to_tensor(_weights(n_fft))


@functools.lru_cache(maxsize=8)
def dft_kernels(n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and negative sines `(n_fft, 1 + n_fft // 2)`, float32: frames times these are the two parts."""
    # Products of integers modulo n_fft keep the phase exact, however large.
    phase = np.outer(np.arange(n_fft), np.arange(1 + n_fft // 2)) % n_fft * (2 * np.pi / n_fft)
    return np.cos(phase).astype("float32"), -np.sin(phase).astype("float32")


@functools.lru_cache(maxsize=8)
def inverse_dft_kernels(n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrices `(1 + n_fft // 2, n_fft)`, float32, by which real and imaginary parts give the frame back."""
    cosines, sines = dft_kernels(n_fft)
    shares = (1.0 / _weights(n_fft).astype("float64"))[:, None]
    return (cosines.T * shares).astype("float32"), (sines.T * shares).astype("float32")
