import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keraudio.errors import KeraudioError
from keraudio.training.run_state import load_run_state, save_run_state

pytestmark = pytest.mark.backends

FACTS = {"history": [{"epoch": 0, "loss": 0.1 + 0.2}], "best_epoch": 0, "stopped_early": False}


def trained(*, units: int = 3, steps: int = 3, seed: int = 0, precision: str = "float32") -> keras.Model:
    """A compiled model with weights, statistics, random states and an optimizer's moments."""
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(units),
                keras.layers.BatchNormalization(),
                # With a seed, since torch draws from elsewhere without one.
                keras.layers.Dropout(0.5, seed=1),
                keras.layers.Dense(1, dtype="float32"),
            ]
        )
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(keras.optimizers.AdamW(0.01), loss="mse")
    model.optimizer.build(model.trainable_variables)
    train(model, steps)
    return model


def train(model: keras.Model, steps: int) -> list[float]:
    x = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    return [float(model.train_on_batch(x, x[:, :1])) for _ in range(steps)]


def state(model: keras.Model) -> list[np.ndarray]:
    metrics = {id(variable) for variable in model.metrics_variables}
    variables = [v for v in [*model.variables, *model.optimizer.variables] if id(v) not in metrics]
    return [np.asarray(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_state_comes_back_to_the_bit_and_training_goes_on_from_it(tmp_path: Path, precision: str) -> None:
    model = trained(precision=precision)
    save_run_state(tmp_path / "state.npz", model, FACTS)
    kept = state(model)
    other = trained(seed=5, steps=1, precision=precision)
    assert load_run_state(tmp_path / "state.npz", other) == FACTS
    assert len(kept) > 10
    for mine, theirs in zip(state(other), kept, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # Dropout draws the same units again, the optimizer has the same moments.
    model.reset_metrics(), other.reset_metrics()
    assert train(other, 3) == pytest.approx(train(model, 3), rel=1e-6)


def test_only_the_state_is_left_in_the_folder(tmp_path: Path) -> None:
    model = trained()
    for _ in range(2):
        save_run_state(tmp_path / "state.npz", model, FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_a_failed_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained()
    save_run_state(tmp_path / "state.npz", model, FACTS)
    good = (tmp_path / "state.npz").read_bytes()

    def full_disk(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_run_state(tmp_path / "state.npz", model, {})
    assert (tmp_path / "state.npz").read_bytes() == good
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_the_state_of_another_model_is_refused(tmp_path: Path) -> None:
    save_run_state(tmp_path / "state.npz", trained(), FACTS)
    with pytest.raises(
        KeraudioError, match=r"another model than the recipe's: .*kernel has shape \(4, 5\), there \(4, 3\)"
    ):
        load_run_state(tmp_path / "state.npz", trained(units=5))
    smaller = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    smaller.compile("sgd", loss="mse")
    smaller.optimizer.build(smaller.trainable_variables)
    with pytest.raises(KeraudioError, match="another model than the recipe's"):
        load_run_state(tmp_path / "state.npz", smaller)


def test_a_damaged_state_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    path, model = tmp_path / "state.npz", trained()
    save_run_state(path, model, FACTS)
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 0xFF
    single = tmp_path / "single.npy"
    np.save(single, np.zeros(3))
    without_facts = tmp_path / "less.npz"
    with np.load(path) as arrays:
        np.savez(without_facts, **{name: arrays[name] for name in arrays.files if name != "facts"})
    damages = [good[: len(good) // 2], good[:-30], b"", b"no archive", bytes(flipped), single.read_bytes()]
    for damaged in [*damages, without_facts.read_bytes()]:
        path.write_bytes(damaged)
        with pytest.raises(KeraudioError, match=r"state\.npz: the checkpoint is damaged") as caught:
            load_run_state(path, model)
        assert "\n" not in str(caught.value)


def test_the_file_holds_no_pickle(tmp_path: Path) -> None:
    save_run_state(tmp_path / "state.npz", trained(), FACTS)
    with zipfile.ZipFile(tmp_path / "state.npz") as archive:
        assert archive.testzip() is None
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fiu" for name in arrays.files)
