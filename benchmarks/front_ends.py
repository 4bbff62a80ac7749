"""Speed and memory of the front-end layers beside their peers, all in one run, as ratios.

Usage: python benchmarks/front_ends.py [--backends tensorflow jax torch] [--rounds 9] [--clips 8] [--seconds 30]
       [--precision float32|mixed_bfloat16] [--out FILE.json]

Clips of noise at 22,050 Hz; n_fft 1024, hop 512, 128 mel bands. Each backend has a process of its own; in it, all
candidates take turns, round after round, so that what else the machine does falls on all alike. Each is called twice
and its second call counts, as the first pays for the memory that the one before has given back. A figure is the median
over rounds; its ratio to the others of its table is what counts. Peers that are not installed are left out
(`pip install nnAudio`; kapre with `--no-deps`). The limit is the arithmetic - 2.5 n log2 n a transform, two for each
non-zero mel weight - at the speed of a large matrix product in the same process.

Memory is the peak of the process while one clip of 10 minutes is transformed, compiled before, above what it was with
the clip alone, and the clip; over input and output. What the C library has kept of freed memory is given back first.
"""

import argparse
import ctypes
import gc
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from side_by_side import child

RATE, N_FFT, HOP, MELS = 22050, 1024, 512, 128
BINS = 1 + N_FFT // 2
LONG_CLIP = 600
TABLES = {
    "log_mel": "log-mel spectrogram, forward",
    "window": "power spectrum with a learnable window, forward and backward",
    "kernels": "power spectrum with learnable kernels, forward and backward",
}


class Workbench:
    """One backend: how its functions are compiled, called and waited for."""

    def __init__(self, clips: int, seconds: float):
        import keras
        import numpy as np

        self.name = keras.backend.backend()
        noise = np.random.default_rng(0).uniform(-1, 1, (clips, int(seconds * RATE)))
        self.x = keras.ops.convert_to_tensor(noise.astype("float32"))
        self.candidates: dict[str, dict[str, Callable[[], Any]]] = {table: {} for table in TABLES}

    def wait(self, result: Any) -> None:
        """Returns when the result is there."""
        if self.name == "jax":
            import jax

            jax.block_until_ready(result)
        elif self.name == "torch":
            import torch

            if torch.cuda.is_available():
                torch.cuda.synchronize()

    def forward(self, function: Callable) -> Callable[[], Any]:
        """`function(x)`, compiled as its backend's users would, without gradients."""
        if self.name == "tensorflow":
            import tensorflow as tf

            compiled = tf.function(function)
            return lambda: compiled(self.x)
        if self.name == "jax":
            import jax

            compiled = jax.jit(_stateless(function))
            return lambda: compiled(self.x)
        import torch

        def run() -> Any:
            with torch.no_grad():
                return function(self.x)

        return run

    def ahead_of_time(self, function: Callable, shape: tuple[int, ...]) -> Callable:
        """`function`, compiled for one shape already, so that what compiling takes is not measured."""
        if self.name == "tensorflow":
            import tensorflow as tf

            return tf.function(function).get_concrete_function(tf.TensorSpec(shape))
        if self.name == "jax":
            import jax

            return jax.jit(_stateless(function)).lower(jax.ShapeDtypeStruct(shape, "float32")).compile()
        import torch

        return torch.no_grad()(function)

    def backward(self, function: Callable, variables: list) -> Callable[[], Any]:
        """Gradients of the mean of `function(x)` with regard to Keras variables."""
        import keras

        if self.name == "tensorflow":
            import tensorflow as tf

            @tf.function
            def gradients():
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.cast(function(self.x), "float32"))
                return tape.gradient(loss, [variable.value for variable in variables])

            return gradients
        if self.name == "jax":
            import jax

            def loss(values, x):
                with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                    return keras.ops.mean(keras.ops.cast(function(x), "float32"))

            compiled = jax.jit(jax.grad(loss))
            return lambda: compiled([variable.value for variable in variables], self.x)
        import torch

        def run() -> Any:
            return torch.autograd.grad(function(self.x).float().mean(), [variable.value for variable in variables])

        return run


def _stateless(function: Callable) -> Callable:
    import keras

    def pure(x):
        with keras.StatelessScope():
            return function(x)

    return pure


def built(layer: Any, x: Any) -> Any:
    """The layer with its weights."""
    import keras

    layer(keras.Input(x.shape[1:]))
    return layer


def add_ours(bench: Workbench) -> None:
    """The layers of this project."""
    from keraudio.frontends import log_mel
    from keraudio.layers import AdaptiveSTFT

    front_end = log_mel(RATE, n_fft=N_FFT, hop_length=HOP, n_mels=MELS, center=False)
    bench.candidates["log_mel"]["keraudio"] = bench.forward(front_end)
    for table, name, options in (
        ("window", "keraudio", {"kernels": "fixed"}),
        ("window", "keraudio, and low-rank kernels", {"kernels": "low_rank"}),
        ("kernels", "keraudio, free", {"learn_window": False}),
        ("kernels", "keraudio, low rank", {"kernels": "low_rank", "learn_window": False}),
    ):
        layer = built(AdaptiveSTFT(N_FFT, HOP, center=False, power=2, **options), bench.x)
        bench.candidates[table][name] = bench.backward(layer, layer.trainable_variables)


def add_convolutions(bench: Workbench) -> None:
    """The usual way to learn a transform: strided convolution with windowed kernels."""
    import keras
    import numpy as np

    phase = 2 * np.pi * np.outer(np.arange(N_FFT), np.arange(BINS)) / N_FFT
    kernels = np.concatenate([np.cos(phase), -np.sin(phase)], axis=1)[:, None, :].astype("float32")
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype("float32")
    window, kernel = keras.Variable(hann), keras.Variable(kernels)

    def convolve(x):
        filters = kernel * keras.ops.reshape(window, (-1, 1, 1))
        both = keras.ops.conv(x[..., None], filters, strides=HOP, padding="valid", data_format="channels_last")
        return keras.ops.square(both[..., :BINS]) + keras.ops.square(both[..., BINS:])

    bench.candidates["window"]["convolution"] = bench.backward(convolve, [window])
    bench.candidates["kernels"]["convolution"] = bench.backward(convolve, [kernel])


def add_keras(bench: Workbench) -> None:
    """Keras' own layers."""
    import keras

    options = {"sequence_stride": HOP, "fft_length": N_FFT, "sampling_rate": RATE, "num_mel_bins": MELS}
    mel = keras.layers.MelSpectrogram(**options, max_freq=RATE / 2)
    bench.candidates["log_mel"]["Keras MelSpectrogram"] = bench.forward(mel)
    options = {"frame_length": N_FFT, "frame_step": HOP, "fft_length": N_FFT, "mode": "psd", "trainable": True}
    layer = built(keras.layers.STFTSpectrogram(**options), bench.x[..., None])
    bench.candidates["kernels"]["Keras STFTSpectrogram"] = bench.backward(
        lambda x: layer(x[..., None]), layer.trainable_variables
    )


def add_peers(bench: Workbench) -> None:
    """Other projects, and what one would write by hand."""
    import keras
    import librosa

    filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=MELS).T
    if bench.name == "torch":
        import torch

        matrix = torch.tensor(filters, device=bench.x.device)
        window = torch.hann_window(N_FFT, device=bench.x.device)

        def by_hand(x):
            spectrum = torch.stft(x, N_FFT, HOP, window=window, center=False, return_complex=True)
            return decibels(torch.matmul(matrix.T, spectrum.real**2 + spectrum.imag**2))

        def decibels(power):
            levels = 10 * torch.log10(torch.clamp(power, min=1e-10))
            return torch.maximum(levels, levels.amax((1, 2), keepdim=True) - 80)

        bench.candidates["log_mel"]["torch.stft and a product"] = bench.forward(by_hand)
        learned = keras.Variable(window.cpu().numpy())

        def learned_window(x):
            spectrum = torch.stft(x, N_FFT, HOP, window=learned.value, center=False, return_complex=True)
            return spectrum.real**2 + spectrum.imag**2

        bench.candidates["window"]["torch.stft"] = bench.backward(learned_window, [learned])
        _add_nnaudio(bench, decibels)
    elif bench.name == "tensorflow":
        import tensorflow as tf

        def by_hand(x):
            mel = tf.square(tf.abs(tf.signal.stft(x, N_FFT, HOP))) @ filters
            levels = tf.math.log(tf.maximum(mel, 1e-10)) * (10 / math.log(10))
            return tf.maximum(levels, tf.reduce_max(levels, (1, 2), keepdims=True) - 80)

        bench.candidates["log_mel"]["tf.signal.stft and a product"] = bench.forward(by_hand)
        _add_kapre(bench)
    host = keras.ops.convert_to_numpy(bench.x)

    def on_host():
        mel = librosa.feature.melspectrogram(y=host, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=MELS, center=False)
        return librosa.power_to_db(mel)

    bench.candidates["log_mel"]["librosa"] = on_host


def _add_nnaudio(bench: Workbench, decibels: Callable) -> None:
    try:
        from nnAudio import features
    except ImportError:
        return
    device = bench.x.device
    options = {"sr": RATE, "n_fft": N_FFT, "hop_length": HOP, "center": False, "verbose": False}
    mel = features.MelSpectrogram(n_mels=MELS, **options).to(device)
    bench.candidates["log_mel"]["nnAudio"] = bench.forward(lambda x: decibels(mel(x)))
    stft = features.STFT(output_format="Magnitude", trainable=True, **options).to(device)

    def run() -> Any:
        import torch

        return torch.autograd.grad((stft(bench.x) ** 2).mean(), [stft.wsin, stft.wcos])

    bench.candidates["kernels"]["nnAudio"] = run


def _add_kapre(bench: Workbench) -> None:
    try:
        import tensorflow as tf
        from kapre.composed import get_melspectrogram_layer

        layer = get_melspectrogram_layer(
            input_shape=(None, 1),
            n_fft=N_FFT,
            hop_length=HOP,
            sample_rate=RATE,
            n_mels=MELS,
            return_decibel=True,
            input_data_format="channels_last",
            output_data_format="channels_last",
        )
        layer(tf.zeros((1, 4 * N_FFT, 1)))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        print(f"kapre: left out: {error}".splitlines()[0], file=sys.stderr)
        return
    bench.candidates["log_mel"]["kapre"] = bench.forward(lambda x: layer(x[..., None]))


def product_speed(bench: Workbench) -> float:
    """Floating-point operations a second of a product of 2,048 x 2,048 matrices."""
    import keras
    import numpy as np

    a = keras.ops.convert_to_tensor(np.ones((2048, 2048), "float32"))
    product = bench.forward(lambda _x: keras.ops.matmul(a, a))
    times = []
    for _ in range(6):
        began = time.perf_counter()
        bench.wait(product())
        times.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(times)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All tables of the backend of this process."""
    import keras
    import numpy as np

    keras.config.set_dtype_policy(options.precision)
    bench = Workbench(options.clips, options.seconds)
    for add in (add_ours, add_convolutions, add_keras, add_peers):
        add(bench)
    times: dict[str, dict[str, list[float]]] = {table: {} for table in TABLES}
    for table, candidates in bench.candidates.items():
        for name, call in candidates.items():
            bench.wait(call())
            times[table][name] = []
    for _ in range(options.rounds):
        for table, candidates in bench.candidates.items():
            for name, call in candidates.items():
                bench.wait(call())
                began = time.perf_counter()
                bench.wait(call())
                times[table][name].append(time.perf_counter() - began)
    frames = options.clips * (1 + (int(options.seconds * RATE) - N_FFT) // HOP)
    from keraudio.layers.mel_filterbank import mel_matrix

    weights = np.count_nonzero(mel_matrix(RATE, N_FFT, n_mels=MELS, fmin=0, fmax=RATE / 2, htk=False, norm="slaney"))
    operations = frames * (2.5 * N_FFT * math.log2(N_FFT) + 2 * weights)
    return {
        "backend": bench.name,
        "audio_seconds": options.clips * options.seconds,
        "limit_seconds": operations / product_speed(bench),
        "times": times,
    }


def measure_memory(options: argparse.Namespace) -> dict[str, Any]:
    """Peak above input and output of the transform of one long clip."""
    import keras

    from keraudio.frontends import log_mel
    from keraudio.layers import STFT

    bench = Workbench(1, 1)
    layer = STFT(N_FFT, HOP) if options.memory == "stft" else log_mel(RATE, n_fft=N_FFT, hop_length=HOP)
    bench.wait(bench.forward(layer)())
    samples = LONG_CLIP * RATE
    compiled = bench.ahead_of_time(layer, (1, samples))
    # Not from NumPy: TensorFlow holds on to the array for a while.
    x = keras.random.uniform((1, samples), seed=0)
    bench.wait(x)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _resident()
    _reset_peak()
    result = compiled(x)
    bench.wait(result)
    peak = _peak() - before + 4 * samples
    size = 4 * (samples + math.prod(result.shape))
    return {"what": options.memory, "input_output": size, "peak": peak, "ratio": peak / size}


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


def _resident() -> int:
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _reset_peak() -> None:
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def table_rows(results: list[dict[str, Any]], table: str) -> list[str]:
    """A Markdown table: seconds of audio a second, and the time over keraudio's."""
    backends = [result["backend"] for result in results]
    rows = ["| | " + " | ".join(backends) + " |", "|---" * (len(backends) + 1) + "|"]
    names = list(dict.fromkeys(name for result in results for name in result["times"][table]))
    for name in names:
        cells = []
        for result in results:
            ours = statistics.median(next(iter(result["times"][table].values())))
            times = result["times"][table].get(name)
            if times is None:
                cells.append("")
                continue
            middle = statistics.median(times)
            cells.append(f"{result['audio_seconds'] / middle:,.0f} ({middle / ours:.2f})")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    if table == "log_mel":
        limits = [f"{result['audio_seconds'] / result['limit_seconds']:,.0f}" for result in results]
        rows.append("| *limit of the arithmetic* | " + " | ".join(limits) + " |")
    return rows


def main() -> None:
    """Runs one process a backend and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--out")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--memory", choices=("stft", "log_mel"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure_memory(options) if options.memory else measure(options)))
        return

    arguments = ["--child", *sys.argv[1:]]
    results = [child(__file__, backend, arguments) for backend in options.backends]
    for result in results:
        if sys.platform == "linux":
            result["memory"] = [
                child(__file__, result["backend"], [*arguments, "--memory", what]) for what in ("stft", "log_mel")
            ]
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    for table, title in TABLES.items():
        print(f"\n{title}: seconds of audio a second (time over the first row's)\n")
        print("\n".join(table_rows(results, table)))
    print(f"\nPeak memory over input and output, one clip of {LONG_CLIP // 60} minutes\n")
    print("| | STFT | log_mel |\n|---|---|---|")
    for result in results:
        cells = [f"{memory['ratio']:.2f}" for memory in result.get("memory", ())]
        print(f"| {result['backend']} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
