"""Cutting a signal into overlapping frames with reshapes and slices, which every backend compiles well."""

from typing import Any

from keras import ops

# Above this many hops in a frame the slices cost more than one gather.
_MOST_SLICES = 16


def frame_count(samples: int | None, n_fft: int, hop_length: int, *, center: bool) -> int | None:
    """Number of frames of a signal of `samples` samples; None stays None, and there is always at least one frame."""
    if samples is None:
        return None
    if center:
        samples = samples + 2 * (n_fft // 2)
    return 1 + max(0, samples - n_fft) // hop_length


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


def frame_signal(x, n_fft: int, hop_length: int):
    """Frames `(..., frames, n_fft)` of `x` `(..., samples)`; a signal shorter than a frame is padded to one."""
    samples = x.shape[-1] if x.shape[-1] is not None else ops.shape(x)[-1]
    frames: Any
    if isinstance(samples, int):
        frames = frame_count(samples, n_fft, hop_length, center=False)
    else:
        frames = 1 + ops.maximum(0, samples - n_fft) // hop_length
    hops = -(-n_fft // hop_length)
    needed = (frames + hops - 1) * hop_length
    if isinstance(samples, int):
        extra = max(0, needed - samples)
    else:
        extra = ops.maximum(0, needed - samples)
    x = ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[0, extra]])[..., :needed]
    if hops > _MOST_SLICES:
        starts = ops.arange(0, frames, dtype="int32")[:, None] * hop_length
        return ops.take(x, starts + ops.arange(n_fft, dtype="int32")[None, :], axis=-1)
    leading = ops.shape(x)[:-1]
    blocks = ops.reshape(x, (*leading, -1, hop_length))
    if hops == 1:
        return blocks[..., :n_fft]
    slices = [blocks[..., i : i + frames, :] for i in range(hops)]
    slices[-1] = slices[-1][..., : n_fft - (hops - 1) * hop_length]
    return ops.concatenate(slices, axis=-1)
