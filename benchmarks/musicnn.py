"""Agreement and speed of the converted MusiCNN networks beside their original TensorFlow-1 graphs, in one run.

Usage: python benchmarks/musicnn.py WHEEL [--backends tensorflow jax torch] [--rounds 9] [--windows 10]

WHEEL is `musicnn-0.1.0-py3-none-any.whl`. The original is the forward graph of each checkpoint, its variables made
constants; both get the same windows of a log-mel spectrogram of a swept tone in noise. Each backend has a process of
its own, in which original and conversion take turns. The times are medians of one batch of all windows.
"""

import argparse
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import medians, rows_of

# Of the spectrogram's clip, in seconds.
CLIP = 30


def sweep(sample_rate: int) -> np.ndarray:
    """A tone swept from 100 Hz to 4 kHz, in noise, on and off four times a second."""
    t = np.arange(CLIP * sample_rate) / sample_rate
    tone = 0.5 * np.sin(2 * np.pi * (100 * t + (4000 - 100) / (2 * CLIP) * t**2))
    noise = 0.05 * np.random.default_rng(0).standard_normal(len(t))
    return ((tone + noise) * (0.6 + 0.4 * np.sign(np.sin(4 * np.pi * t)))).astype("float32")


def original(folder: Path) -> Any:
    """The forward graph of a checkpoint's folder as a function from features to tags."""
    import tensorflow as tf
    from tensorflow.core.protobuf import meta_graph_pb2

    from keraudio.pipeline import read_checkpoint

    tensors = read_checkpoint(folder)
    meta = meta_graph_pb2.MetaGraphDef()
    meta.ParseFromString((folder / ".meta").read_bytes())
    graph = tf.compat.v1.graph_util.extract_sub_graph(meta.graph_def, ["model/Sigmoid"])
    features = None
    for node in graph.node:
        if node.op == "VariableV2":
            _make_constant(node, tensors[node.name])
        elif node.op == "RefSwitch":
            node.op = "Switch"
        elif node.op == "Placeholder" and node.attr["dtype"].type == tf.bool.as_datatype_enum:
            _make_constant(node, np.array(False))
        elif node.op == "Placeholder":
            features = node.name
        node.attr.pop("_class", None)
    assert features is not None
    pruned = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    return pruned.prune(f"{features}:0", "model/Sigmoid:0")


def _make_constant(node: Any, value: np.ndarray) -> None:
    import tensorflow as tf

    constant = tf.compat.v1.NodeDef(name=node.name, op="Const")
    constant.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    node.CopyFrom(constant)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a network, on the backend of this process."""
    import keras
    import tensorflow as tf

    from keraudio.convert.musicnn import FRAMES, SAMPLE_RATE, TAGS, assign, build
    from keraudio.pipeline import read_checkpoint

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(options.wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if "/." in name])
        for name in TAGS:
            model = build(name)
            files = Path(folder) / "musicnn" / name
            assign(model, name, read_checkpoint(files))
            samples = sweep(SAMPLE_RATE)
            window, hop = model.description.window, model.description.hop
            clip = np.stack([samples[i * hop :][:window] for i in range((len(samples) - window) // hop + 1)])
            features = np.asarray(model.front_end.predict(clip, verbose=0))
            features = np.resize(features, (options.windows, *features.shape[1:]))
            assert features.shape[1] == FRAMES
            inputs = keras.Input(features.shape[1:])
            tags = model.get_layer("probabilities")(model.get_layer("logits")(model.backbone(inputs)))
            ours = keras.Model(inputs, tags)
            theirs = original(files)
            constant = tf.constant(features)
            calls = {
                "original": lambda: theirs(constant).numpy(),  # noqa: B023
                "keraudio": lambda: np.asarray(ours.predict_on_batch(features)),  # noqa: B023
            }
            difference = float(np.abs(calls["original"]() - calls["keraudio"]()).max())
            seconds = medians(calls, options.rounds)
            rows.append({"backend": keras.backend.backend(), "network": name, "difference": difference, **seconds})
    return rows


def main() -> None:
    """Runs one process a backend and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    print("| | backend | greatest difference of a tag | original, ms | keraudio, ms | times as fast |")
    print("|---|---|---|---|---|---|")
    for row in rows_of(__file__, options.backends):
        print(
            f"| {row['network']} | {row['backend']} | {row['difference']:.1e} | {1000 * row['original']:.0f} | "
            f"{1000 * row['keraudio']:.0f} | {row['original'] / row['keraudio']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
