"""Cutting a signal into overlapping frames, in blocks where it is long, and adding frames up again.

Reshapes and slices do it, which XLA and TensorFlow compile well; torch needs no copy at all.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keraudio.backend import on_cpu
from keraudio.layers.cutting import pad_axis
from keraudio.layers.kernel_path import kernels_only

# Above this many hops in a frame the slices cost more than one gather.
_MOST_SLICES = 16
# Graphs of more take long to compile, and hold what all of them leave at once: then a loop. torch has no graph.
_MOST_BLOCKS = 32


def frame_count(samples: Any, n_fft: int, hop_length: int, *, center: bool = False) -> Any:
    """Number of frames of a signal of `samples` samples, at least one.

    `samples` may be an int, a scalar tensor, or None, which stays None.
    """
    if samples is None:
        return None
    if center:
        samples = samples + 2 * (n_fft // 2)
    return 1 + _or_zero(samples - n_fft) // hop_length


def _or_zero(count: Any) -> Any:
    """An int or scalar tensor, or zero where it is negative."""
    return max(0, count) if isinstance(count, int) else ops.maximum(0, count)


def sample_count(x) -> Any:
    """Length of the last axis: an int where it is known, else a scalar tensor."""
    return x.shape[-1] if x.shape[-1] is not None else ops.shape(x)[-1]


def _extend(x, samples: Any):
    """`x` `(..., n)` with zeros behind it where it has fewer than `samples`."""
    missing = _or_zero(samples - sample_count(x))
    if isinstance(missing, int) and missing == 0:
        return x
    return ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[0, missing]])


def pad_signal(x, length: int, mode: str):
    """`x` `(..., samples)` with `length` samples more at each end: zeros, or its reflection without the edge sample.

    A reflection longer than the signal goes on back and forth, as in NumPy.
    """
    if length == 0:
        return x
    if mode == "constant":
        return ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[length, length]])
    samples = ops.shape(x)[-1]
    positions = ops.arange(-length, samples + length, dtype="int32")
    period = ops.maximum(2 * (samples - 1), 1)
    positions = ops.mod(positions, period)
    return ops.take(x, ops.minimum(positions, period - positions), axis=-1)


def frame_signal(x, n_fft: int, hop_length: int, frames: Any = None):
    """Frames `(..., frames, n_fft)` of `x` `(..., samples)`; what a frame lacks at the end is zero.

    `frames` is as many as fit, but at least one, unless it is given.
    """
    if frames is None:
        frames = frame_count(sample_count(x), n_fft, hop_length)
    if keras.backend.backend() == "torch" and not kernels_only():
        needed = (frames - 1) * hop_length + n_fft
        return ops.convert_to_tensor(_extend(x, needed)[..., :needed]).unfold(-1, n_fft, hop_length)
    hops = -(-n_fft // hop_length)
    needed = (frames + hops - 1) * hop_length
    x = _extend(x, needed)[..., :needed]
    if hops > _MOST_SLICES:
        starts = ops.arange(0, frames, dtype="int32")[:, None] * hop_length
        return ops.take(x, starts + ops.arange(n_fft, dtype="int32")[None, :], axis=-1)
    leading = (-1, *x.shape[1:-1]) if len(x.shape) > 1 else ()
    blocks = ops.reshape(x, (*leading, frames + hops - 1, hop_length))
    if hops == 1:
        return blocks[..., :n_fft]
    slices = [blocks[..., i : i + frames, :] for i in range(hops)]
    if n_fft % hop_length == 0:
        # XLA copies whole rows here; along the last axis it would choose for every sample.
        return ops.reshape(ops.stack(slices, axis=-2), (*leading, frames, n_fft))
    slices[-1] = slices[-1][..., : n_fft - (hops - 1) * hop_length]
    return ops.concatenate(slices, axis=-1)


def map_frames(
    function: Callable[[Any], Any], x, n_fft: int, hop_length: int, *, center: bool = False, pad_mode: str = "constant"
):
    """`function(frames)` over all frames of `x` `(batch, samples)`, a block of them at a time where there are many.

    All frames at once are `n_fft / hop_length` times the signal; a block at a time, memory stays near input plus
    output.

    Args:
        function: from `(..., frames, n_fft)` to `(..., frames, bins[, ...])`, each frame by itself.
        x: the signal.
        n_fft: length of a frame.
        hop_length: samples between frames.
        center: frame `t` is centred at sample `t * hop_length`.
        pad_mode: see `pad_signal`.

    Returns:
        `(batch, frames, bins[, ...])`.
    """
    if kernels_only():
        return function(frame_signal(pad_signal(x, n_fft // 2, pad_mode) if center else x, n_fft, hop_length))
    # Zeros are added block by block, as a padded copy of a long signal would be its own size again.
    late = n_fft // 2 if center and pad_mode == "constant" else 0
    if center and not late:
        x = pad_signal(x, n_fft // 2, pad_mode)
    samples = sample_count(x)
    frames = frame_count(samples + 2 * late, n_fft, hop_length)
    block = max(1, _block_samples() // n_fft)
    if not isinstance(frames, int) or (keras.backend.backend() != "torch" and frames > _MOST_BLOCKS * block):
        return _loop_over_blocks(function, x, n_fft, hop_length, late, frames, block)
    results = []
    for first in range(0, frames, block):
        count = min(block, frames - first)
        begin = first * hop_length - late
        end = begin + (count - 1) * hop_length + n_fft
        stretch = x[:, max(0, begin) : max(0, min(end, samples))]
        if begin < 0:
            stretch = ops.pad(stretch, [[0, 0], [min(-begin, end - begin), 0]])
        results.append(function(frame_signal(stretch, n_fft, hop_length, count)))
    return results[0] if len(results) == 1 else ops.concatenate(results, axis=1)


def _loop_over_blocks(function, x, n_fft: int, hop_length: int, late: int, frames: Any, block: int):
    """`map_frames` as a loop, whose graph has one size for any length; the first frame begins `late` samples early."""
    if isinstance(frames, int):
        # Blocks that come out even leave nothing that would have to be cut off, which takes a copy of all.
        block = next((even for even in range(block, block // 2, -1) if frames % even == 0), block)
    span = (block - 1) * hop_length + n_fft
    x = _extend(x, span)
    batch, samples = ops.shape(x)[0], sample_count(x)
    blocks = (frames + block - 1) // block

    def at(place):
        begin = place % blocks * (block * hop_length) - late
        inside = ops.minimum(ops.maximum(begin, 0), samples - span)
        stretch = ops.slice(x, (place // blocks, inside), (1, span))
        stretch = ops.cond(begin == inside, lambda: stretch, lambda: _shift(stretch, begin - inside))
        return function(frame_signal(stretch, n_fft, hop_length, block))[0]

    results = ops.map(at, ops.arange(batch * blocks, dtype="int32"))
    results = ops.reshape(results, (batch, blocks * block, *results.shape[2:]))
    return results if isinstance(frames, int) and frames % block == 0 else results[:, :frames]


def _shift(x, by: Any):
    """`x` `(1, samples)` from sample `by` on, of the same length; zeros stand in for what it has not."""
    samples = x.shape[1]
    positions = ops.arange(samples, dtype="int32") + by
    inside = (positions >= 0) & (positions < samples)
    return ops.where(inside, ops.take(x, ops.clip(positions, 0, samples - 1), axis=1), 0.0)


@functools.cache
def _block_samples() -> int:
    """Samples of an example's frames that are handled at once.

    On a CPU every intermediate is written to memory: what stays in the cache takes half the time. torch wakes its
    threads for each operation, so that small ones do not pay.
    """
    if not on_cpu():
        return 2**23
    return 2**18 if keras.backend.backend() == "torch" else 2**17


def frame_products(x, kernel, hop_length: int):
    """Products `(batch, frames, columns)` of every frame of `x` `(batch, samples)` with a `(n_fft, columns)` kernel.

    A strided convolution in other words, which each backend has a way of its own to do fast.
    """
    n_fft, columns = kernel.shape
    if keras.backend.backend() == "jax" and not kernels_only():
        filters = ops.expand_dims(kernel, 1)
        signal = ops.expand_dims(_extend(x, n_fft), -1)
        return ops.conv(signal, filters, strides=hop_length, data_format="channels_last")
    frames = frame_signal(x, n_fft, hop_length)
    # One plain product: a batch of them would give each example a gradient of the kernel, to be added up.
    rows = ops.reshape(frames, (-1, n_fft))
    return ops.reshape(ops.matmul(rows, kernel), (*ops.shape(frames)[:2], columns))


def view_products(frames, kernel, hop_length: int):
    """Products of the overlapping views that `frame_signal` gives on torch, without a copy of them; for few columns."""
    if frames.shape[-1] > _MOST_SLICES * hop_length:
        return frames @ kernel
    # Slices a hop wide are plain matrices, while a product with whole frames would copy them first.
    kernels = kernel.expand(frames.shape[0], -1, -1).split(hop_length, dim=1)
    slices = frames.split(hop_length, dim=-1)
    products = slices[0] @ kernels[0]
    for part, rows in zip(slices[1:], kernels[1:], strict=True):
        products.baddbmm_(part, rows)
    return products


def overlap_add(frames, hop_length: int):
    """`frames` `(batch, frames, n_fft)` added up, each `hop_length` later: `(batch, samples)`."""
    batch, count, n_fft = ops.shape(frames)[0], ops.shape(frames)[1], frames.shape[2]
    samples = n_fft + (count - 1) * hop_length
    hops = -(-n_fft // hop_length)
    if hops > _MOST_SLICES:
        positions = ops.arange(0, count, dtype="int32")[:, None] * hop_length + ops.arange(n_fft, dtype="int32")[None]
        flat = ops.transpose(ops.reshape(frames, (batch, -1)), (1, 0))
        total = ops.segment_sum(flat, ops.reshape(positions, (-1,)), num_segments=samples)
        return ops.transpose(total, (1, 0))
    frames = pad_axis(frames, 2, 0, hops * hop_length - n_fft)
    blocks = ops.reshape(frames, (batch, count, hops, hop_length))
    # Unstacked, and cut only where need be: gradients of TensorFlow's strided slices are slow on a CPU.
    parts = ops.unstack(blocks, hops, axis=2)
    total = sum(pad_axis(part, 1, i, hops - 1 - i) for i, part in enumerate(parts))
    total = ops.reshape(total, (batch, -1))
    return total if n_fft % hop_length == 0 else total[:, :samples]
