"""The switch by which transforms give up the FFT for matrix products, which every export format knows."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from keras import ops

_KERNELS_ONLY = ContextVar("kernels_only", default=False)


@contextmanager
def kernel_path() -> Iterator[None]:
    """While it is open, `STFT`, `ISTFT` and what is made of them compute with DFT kernels instead of FFTs.

    ONNX and LiteRT have no FFT that all converters reach. `AudioClassifier.export` opens it by itself; for any other
    model: `with keraudio.layers.kernel_path(): model.export("model.onnx", format="onnx")`. The results differ by less
    than 1e-4 of the peak.

    Example:
        >>> with kernel_path():
        ...     kernels_only()
        True
    """
    token = _KERNELS_ONLY.set(True)
    try:
        yield
    finally:
        _KERNELS_ONLY.reset(token)


def kernels_only() -> bool:
    """Whether `kernel_path` is open."""
    return _KERNELS_ONLY.get()


def log1p(x):
    """`log(1 + x)`, exact near zero but on the kernel path, as ONNX has no `log1p`."""
    return ops.log(1.0 + x) if kernels_only() else ops.log1p(x)


def expm1(x):
    """`exp(x) - 1`, exact near zero but on the kernel path, as ONNX has no `expm1`."""
    return ops.exp(x) - 1.0 if kernels_only() else ops.expm1(x)
