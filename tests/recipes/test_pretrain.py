import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_pretraining import TINY, fit_recipe, recipe
from tones import write_tones

from keraudio.errors import DatasetError, KeraudioError, ModelFileError, RecipeError
from keraudio.frontends import log_mel
from keraudio.learned_front_end import load_front_end
from keraudio.recipes import (
    build_classifier,
    load_pretraining,
    pretraining_names,
    read_pretraining,
    run_pretraining,
    run_recipe,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("pretraining")
    data = f"audio:{write_tones(folder / 'sound')}"
    told: list[dict[str, Any]] = []
    run = run_pretraining(
        recipe(), data, folder=folder / "run", seed=1, cache_folder=folder / "cache", progress=told.append
    )
    return folder, data, run, told


@pytest.mark.backends
def test_a_front_end_learns_a_spectrogram_without_labels(finished: Any) -> None:
    folder, _, run, told = finished
    losses = [row["val_loss"] for row in run.fitted.history]
    assert losses[run.fitted.best_epoch] < 0.6 * losses[0]
    assert {"range", "epoch", "evaluate"} <= {event["event"] for event in told}
    report = json.loads((folder / "run" / "report.json").read_text())
    assert report["mean_squared_error"]["valid"] == pytest.approx(losses[run.fitted.best_epoch], rel=0.05)
    low, high = report["range"]
    units = report["root_mean_square_in_target_units"]["test"]
    assert units == pytest.approx((high - low) / 2 * report["mean_squared_error"]["test"] ** 0.5)
    assert {"chords", "vowels", "sweep", "tone of 1000 Hz"} < report["mean_squared_error_of_sounds"].keys()
    # What is compared is the range-scaled decibels that the training used.
    first = run.comparisons[0]
    assert first.target.shape == first.learned.shape == (16, 8)
    assert first.target.min() >= -1.2 and first.target.max() <= 1.2 and first.error < 0.5
    assert sorted(path.name for path in (folder / "run").iterdir()) == [
        "front_end.keras", "metrics.csv", "recipe.toml", "report.json", "run.json", "state.npz",
    ]  # fmt: skip


def test_the_range_is_that_of_the_training_clips_alone(tmp_path: Path) -> None:
    sounds = write_tones(tmp_path / "sound", clips=6)
    data = f"audio:{sounds}"
    short = TINY["training"] | {"epochs": 1}
    options: dict[str, Any] = {"seed": 1, "cache_folder": tmp_path / "cache"}
    run = run_pretraining(recipe(training=short), data, folder=tmp_path / "a", **options)
    # What no training clip has: a click in a silence, with far more power in no band.
    from keraudio.recipes import prepare_manifest

    split = {clip.id: clip.split for clip in prepare_manifest(recipe(), data, seed=1).clips}
    for name, part in split.items():
        if part != "train":
            waveform, rate = soundfile.read(sounds / name)
            waveform[:] = 0
            waveform[1500] = 1
            soundfile.write(sounds / name, waveform, rate)
    again = run_pretraining(recipe(training=short), data, folder=tmp_path / "b", **options)
    assert again.report["range"] == run.report["range"]
    for one, other in zip(run.front_end.get_weights(), again.front_end.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.report["mean_squared_error"] != run.report["mean_squared_error"]


def test_a_broken_off_pretraining_goes_on_to_the_same_end(finished: Any, tmp_path: Path) -> None:
    folder, data, run, _ = finished
    options: dict[str, Any] = {"folder": tmp_path / "run", "seed": 1, "cache_folder": folder / "cache"}

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "epoch" and event["row"]["epoch"] == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pretraining(recipe(), data, progress=stop, **options)
    again = run_pretraining(recipe(), data, resume=True, **options)
    for one, other in zip(run.front_end.get_weights(), again.front_end.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    with pytest.raises(KeraudioError, match="A new run needs an empty folder, or --resume"):
        run_pretraining(recipe(), data, **options)
    with pytest.raises(KeraudioError, match="A run goes on only with its own recipe, data and seed"):
        run_pretraining(recipe(), data, more_data=[data], resume=True, **options)


def test_more_clips_are_trained_on(finished: Any, tmp_path: Path) -> None:
    folder, data, run, _ = finished
    more = f"folder:{write_tones(tmp_path / 'more', clips=3)}"
    short = recipe(training=TINY["training"] | {"epochs": 1})
    found = run_pretraining(
        short, data, more_data=[more], folder=tmp_path / "run", seed=1, cache_folder=folder / "cache"
    )
    windows = found.report["windows"]
    assert windows["valid"] == run.report["windows"]["valid"] and windows["train"] > run.report["windows"]["train"]


@pytest.mark.backends
def test_fit_starts_from_it_and_a_frozen_one_stays_to_the_bit(finished: Any, tmp_path: Path) -> None:
    folder, _, run, _ = finished
    waveforms = np.random.default_rng(0).uniform(-1, 1, (2, 2048)).astype("float32")
    expected = run.front_end.predict(waveforms, verbose=0)
    for start in (folder / "run", folder / "run" / "front_end.keras"):
        classifier = build_classifier(fit_recipe(start), ["a", "b"], multi_label=False)
        np.testing.assert_array_equal(classifier.front_end.predict(waveforms, verbose=0), expected)
        assert classifier.front_end.trainable
    # Dropout, with which the random start is trained, has no weights of its own.
    with_dropout = build_classifier(fit_recipe(folder / "run", dropout=0.5), ["a", "b"], multi_label=False)
    np.testing.assert_array_equal(with_dropout.front_end.predict(waveforms, verbose=0), expected)

    sound = f"folder:{folder / 'sound'}"
    options: dict[str, Any] = {"seed": 0, "cache_folder": folder / "cache"}
    frozen = run_recipe(fit_recipe(folder / "run", frozen=True), sound, folder=tmp_path / "frozen", **options)
    kept = load_front_end(frozen.folder / "model.keras").front_end
    np.testing.assert_array_equal(kept.predict(waveforms, verbose=0), expected)
    free = run_recipe(fit_recipe(folder / "run"), sound, folder=tmp_path / "free", **options)
    moved = load_front_end(free.folder / "model.keras").front_end.predict(waveforms, verbose=0)
    assert np.abs(moved - expected).max() > 1e-4
    # And a whole trained classifier, its folder or its file, is a start too.
    for start in (frozen.folder, frozen.folder / "model.keras"):
        fine = fit_recipe(None).model_copy(update={"start": str(start)})
        classifier = build_classifier(fine, ["high", "low"], multi_label=False)
        np.testing.assert_array_equal(classifier.front_end.predict(waveforms, verbose=0), expected)


def test_a_start_that_does_not_fit_is_one_line(finished: Any, tmp_path: Path) -> None:
    folder, *_ = finished
    with pytest.raises(ModelFileError, match="must be those of the recipe's. Received: .* of shape"):
        build_classifier(fit_recipe(folder / "run", filters=[8, 4, 8]), ["a", "b"], multi_label=False)
    with pytest.raises(ModelFileError, match="no such file"):
        build_classifier(fit_recipe(tmp_path / "none.keras"), ["a", "b"], multi_label=False)
    other_rate = fit_recipe(folder / "run")
    other_rate = other_rate.model_copy(
        update={"audio": other_rate.audio.model_copy(update={"sample_rate": 2000, "window": 1.024})}
    )
    with pytest.raises(RecipeError, match="must have learned at the recipe's sample rate, 2000 Hz. Received: 4000 Hz"):
        build_classifier(other_rate, ["a", "b"], multi_label=False)


def test_targets_that_do_not_fit_are_refused(finished: Any, tmp_path: Path) -> None:
    _, data, *_ = finished
    other = recipe(target=TINY["target"] | {"n_mels": 9})
    with pytest.raises(RecipeError, match="must have the front end's bins"):
        run_pretraining(other, data, folder=tmp_path / "a", cache_folder=tmp_path / "cache")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"training": {"mixup": {}}}, "without labels `training` takes no `mixup`"),
        ({"training": {"keep": "last"}}, "without labels `training.keep` must be 'best'"),
        ({"training": {"monitor": "val_accuracy"}}, "no other `monitor`"),
        ({"target": {"name": "log_mell"}}, "`target.name` must be one of .* Did you mean 'log_mel'"),
        ({"backbone": {"name": "piczak"}}, "unknown key `backbone`"),
        ({"training": {"copies": {"count": 1, "stretch": [1.2, 0.8]}}}, "the lower one first"),
    ],
)
def test_recipes_without_sense_are_refused(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        recipe(**sections)


def test_the_recipe_that_comes_with_keraudio_is_the_papers() -> None:
    assert pretraining_names() == ["gafx", "mst"]
    mst = load_pretraining("mst")
    assert mst.audio.window_samples == 51200 and mst.audio.hop_samples == 25600
    assert (mst.training.learning_rate, mst.training.batch_size, mst.training.patience) == (3e-4, 100, 50)
    target = log_mel(22050, samples=51200, **mst.target.options)
    assert target.output_shape == (None, 101, 60)
    with pytest.raises(RecipeError, match="Did you mean 'mst'"):
        read_pretraining("msst")


def test_no_clips_means_no_pretraining(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="must exist"):
        run_pretraining(recipe(), f"audio:{tmp_path / 'none'}", folder=tmp_path / "run")
