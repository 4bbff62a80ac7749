"""Training steps a second of a recipe's model on one backend, compiled by XLA (or torch.compile) and not.

Usage: python benchmarks/train_step.py [--recipe esc50_baseline] [--backend NAME] [--labels 50] [--steps 20]
       [--batch-size N] [--precision float32|mixed_bfloat16]

The batch is random and already in memory, so the input pipeline (`benchmarks/pipeline.py`) is not in these figures.
"""

import argparse
import time


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="esc50_baseline")
    parser.add_argument("--backend")
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--jit", choices=("both", "on", "off"), default="both")
    options = parser.parse_args()

    from keraudio.backend import choose_backend, devices

    choose_backend(options.backend)
    import keras
    import numpy as np

    from keraudio.layers import Mixup
    from keraudio.recipes import build_classifier, load_recipe
    from keraudio.training import TrainingModel
    from keraudio.training.settings import build_optimizer
    from keraudio.training.training_model import loss_and_metrics

    recipe = load_recipe(options.recipe, changes=[f"training.precision={options.precision}"])
    batch_size = options.batch_size or recipe.training.batch_size
    labels = [f"label {i}" for i in range(options.labels)]
    random = np.random.default_rng(0)
    batch = {
        "waveforms": random.uniform(-0.5, 0.5, (batch_size, recipe.audio.window_samples)).astype("float32"),
        "labels": np.eye(options.labels, dtype="float32")[random.integers(options.labels, size=batch_size)],
    }
    if keras.backend.backend() != "tensorflow":
        # On the device once; TensorFlow's train_on_batch copies in any case.
        batch = {name: keras.ops.convert_to_tensor(value) for name, value in batch.items()}
    backend = keras.backend.backend()
    print(f"{options.recipe}, {backend} on {', '.join(devices())}, batch {batch_size}, {options.precision}")
    print("| compiled | first step, s | steps/s | windows/s |\n|---|---|---|---|")
    for jit in {"both": (False, True), "on": (True,), "off": (False,)}[options.jit]:
        if backend == "jax" and not jit:
            continue
        keras.utils.set_random_seed(0)
        model = TrainingModel(build_classifier(recipe, labels, multi_label=False), Mixup())
        loss, metrics = loss_and_metrics(multi_label=False, labels=options.labels, label_smoothing=0.0)
        model.compile(build_optimizer(recipe.training, 100), loss=loss, metrics=metrics, jit_compile=jit)
        began = time.perf_counter()
        model.train_on_batch(batch)
        first = time.perf_counter() - began
        model.train_on_batch(batch)
        began = time.perf_counter()
        for _ in range(options.steps):
            # The returned loss is a number on the host, so each step is waited for.
            model.train_on_batch(batch)
        steps = options.steps / (time.perf_counter() - began)
        print(f"| {'yes' if jit else 'no'} | {first:.1f} | {steps:.2f} | {steps * batch_size:,.0f} |")


if __name__ == "__main__":
    main()
