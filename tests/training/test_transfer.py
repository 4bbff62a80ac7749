from pathlib import Path

import keras
import numpy as np
import pytest
from tones import LABELS, SAMPLE_RATE, WINDOW, tone_classifier, tone_clips

import keraudio
from keraudio import KeraudioError, ModelFileError
from keraudio.training import build_extractor, clip_features, clip_samples, end_to_end, fit_head, load_sources

pytestmark = pytest.mark.backends


def sources(*names: str) -> list:
    found = []
    for seed, name in enumerate(names):
        keras.utils.set_random_seed(seed)
        found.append(tone_classifier())
        found[-1].name = name
    return found


def separable(clips: int = 60, labels: int = 3, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of which a few tell the label, on scales of their own, and one that is always the same."""
    random = np.random.default_rng(seed)
    label = np.arange(clips) % labels
    features = random.standard_normal((clips, 8))
    features[:, :labels] += 4 * np.eye(labels)[label]
    features[:, 7] = 2.5
    return (features * 10.0 ** np.arange(-3, 5)).astype("float32"), np.eye(labels, dtype="float32")[label]


def test_rows_tell_networks_and_levels_apart() -> None:
    extractor = build_extractor(sources("a", "b"), ["-1", "mel"], samples=3 * WINDOW)
    assert {row: len(columns) for row, columns in extractor.rows.items()} == {
        "a -1": 8, "a mel": 16, "a -1, mel": 24, "b -1": 8, "b mel": 16, "b -1, mel": 24, "all": 48,
    }  # fmt: skip
    assert extractor.samples == 3 * WINDOW and extractor.sample_rate == SAMPLE_RATE
    assert extractor.model.output_shape == (None, 48)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3 * WINDOW)).astype("float32")
    together = extractor.model.predict(x, verbose=0)
    for network in sources("a", "b"):
        alone = build_extractor([network], ["mel"], samples=3 * WINDOW)
        assert list(alone.rows) == [f"{network.name} mel"]
        columns = extractor.rows[f"{network.name} mel"]
        np.testing.assert_allclose(alone.model.predict(x, verbose=0), together[:, columns], rtol=1e-5, atol=1e-5)


def test_what_cannot_stand_side_by_side_is_named() -> None:
    with pytest.raises(KeraudioError, match="must have different names. Received: a, a"):
        build_extractor(sources("a", "a"), ["-1"], samples=WINDOW)
    with pytest.raises(KeraudioError, match=f"at least the {WINDOW} samples of a window. Received: 10"):
        build_extractor(sources("a"), ["-1"], samples=10)


def test_features_are_of_the_middle_of_each_clip(tmp_path: Path) -> None:
    clips = tone_clips(tmp_path, clips=4)
    extractor = build_extractor(sources("a"), ["mel"], samples=WINDOW)
    told = []
    found = clip_features(extractor, clips, progress=lambda done, total: told.append((done, total)))
    assert found.shape == (8, 16) and told[-1] == (8, 8)
    for index in (0, 7):
        middle = clips.read(index, (int(clips.lengths[index]) - WINDOW) // 2, WINDOW)
        np.testing.assert_allclose(found[index], extractor.model.predict(middle[None], verbose=0)[0], atol=1e-5)


def test_the_stretch_is_the_median_clip_within_its_limits(tmp_path: Path) -> None:
    clips = tone_clips(tmp_path, clips=4)
    assert clip_samples(sources("a"), clips, 30.0) == int(0.75 * SAMPLE_RATE)
    assert clip_samples(sources("a"), clips, 0.6) == int(0.6 * SAMPLE_RATE)
    assert clip_samples(sources("a"), clips, 0.1) == WINDOW


@pytest.mark.parametrize("kind", ["logistic", "svm", "mlp"])
def test_every_head_learns_what_can_be_told_apart(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraudio.training.transfer._RATE", 1e-2)
    head = fit_head(kind, separable(), separable(seed=1), units=32)
    x, y = separable(seed=2)
    scores = head.scores(x)
    assert scores.shape == (60, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert (scores.argmax(axis=1) == y.argmax(axis=1)).mean() > 0.9
    assert len(head.dense) == {"logistic": 1, "svm": 0, "mlp": 3}[kind]


@pytest.mark.parametrize("kind", ["logistic", "mlp"])
def test_several_labels_at_once_are_told_each_by_itself(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraudio.training.transfer._RATE", 1e-2)
    (x, y), (x_valid, y_valid) = separable(), separable(seed=1)
    # The last label holds wherever the first or the second does, and one more never.
    both = [np.stack([t[:, 0], t[:, 1], t[:, 0] + t[:, 1], 0 * t[:, 0]], axis=1) for t in (y, y_valid)]
    scores = fit_head(kind, (x, both[0]), (x_valid, both[1]), multi_label=True, units=32).scores(x_valid)
    assert ((scores > 0.5) == both[1]).mean() > 0.9


def test_a_label_that_training_has_not_gets_no_probability() -> None:
    x, y = separable()
    padded = np.pad(y, [(0, 0), (0, 1)])
    scores = fit_head("logistic", (x, padded), (x, padded)).scores(x)
    assert scores.shape == (60, 4) and scores[:, 3].max() < 1e-6
    two = fit_head("logistic", (x[y[:, 2] == 0], y[y[:, 2] == 0]), (x, y)).scores(x)
    assert two[:, 2].max() < 1e-6 and (two[:, :2].argmax(1) == y[:, :2].argmax(1))[y[:, 2] == 0].mean() > 0.9


def test_a_feature_that_was_constant_in_training_is_not_heard_later() -> None:
    head = fit_head("logistic", separable(), separable(seed=1))
    x, _ = separable(seed=2)
    loud = x.copy()
    loud[:, 7] = 1e9
    np.testing.assert_array_equal(head.scores(loud), head.scores(x))


def test_heads_that_do_not_exist_are_named() -> None:
    with pytest.raises(KeraudioError, match="must be one of logistic, svm, mlp. Received: 'tree'"):
        fit_head("tree", separable(), separable())
    with pytest.raises(KeraudioError, match="An svm needs clips with one label each"):
        fit_head("svm", separable(), separable(), multi_label=True)


@pytest.mark.parametrize("kind", ["logistic", "mlp"])
def test_the_end_to_end_file_gives_the_heads_probabilities(kind: str, tmp_path: Path) -> None:
    clips = tone_clips(tmp_path)
    extractor = build_extractor(sources("a", "b"), ["-1", "mel"], samples=clip_samples(sources("a"), clips, 30.0))
    features = clip_features(extractor, clips)
    targets = clips.manifest.targets()
    head = fit_head(kind, (features, targets), (features, targets), units=16)
    model = end_to_end(extractor, head, LABELS, multi_label=False, name="tones")
    keraudio.save(model, tmp_path / "tones.keras")
    again = keraudio.load(tmp_path / "tones.keras")
    assert again.description.labels == LABELS and again.description.window == 3000
    waveforms = np.stack([clips.read(index, 0, 3000) for index in range(len(clips))])
    np.testing.assert_allclose(again.predict(waveforms, verbose=0), head.scores(features), atol=1e-5)
    # Networks stay as they were taught.
    assert not any("a/" in weight.path for weight in again.trainable_weights)


def test_an_svm_has_no_end_to_end_model() -> None:
    extractor = build_extractor(sources("a"), ["mel"], samples=WINDOW)
    with pytest.raises(KeraudioError, match="needs a head of dense layers. Received: an svm"):
        end_to_end(extractor, fit_head("svm", separable(), separable()), ("a", "b", "c"), multi_label=False)


def test_sources_are_named_after_their_files(tmp_path: Path) -> None:
    (tmp_path / "my run").mkdir()
    paths = tmp_path / "one.keras", tmp_path / "my run" / "model.keras"
    for path in paths:
        keraudio.save(tone_classifier(), path)
    assert [source.name for source in load_sources(paths)] == ["one", "my_run"]


def test_a_model_without_parts_is_refused(tmp_path: Path) -> None:
    whole = tone_classifier()
    keraudio.save(keras.Model(whole.input, whole.output), tmp_path / "flat.keras")
    with pytest.raises(ModelFileError, match="features need a front end and a backbone"):
        load_sources([tmp_path / "flat.keras"])
