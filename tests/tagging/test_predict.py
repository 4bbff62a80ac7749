import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command_line import write_broken_songs, write_song
from tones import LABELS, SAMPLE_RATE, WINDOW, tone_classifier

import keraudio
from keraudio.tagging import Prediction, Seconds, predict_files
from keraudio.tagging.workers import Workers

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def model() -> Any:
    return tone_classifier()


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """From shorter than a window to more windows than are asked for."""
    folder = tmp_path_factory.mktemp("songs")
    lengths = (0.01, 0.5, 0.8, 3.0, 8.0)
    return [write_song(folder / f"{n}.wav", frequency=150 + 300 * n, seconds=s) for n, s in enumerate(lengths)]


def test_each_file_is_the_mean_of_its_windows_cut_and_predicted_by_hand(model: Any, songs: list[Path]) -> None:
    for path, prediction in zip(songs, predict_files(model, songs), strict=True):
        sound = soundfile.read(path, dtype="float32")[0]
        sound = np.pad(sound, (0, max(0, WINDOW - len(sound))))
        starts = np.arange(0, len(sound) - WINDOW + 1, WINDOW // 2)
        if len(starts) > 10:
            # Evenly spread, first and last among them.
            starts = starts[np.round(np.linspace(0, len(starts) - 1, 10) - 1e-9).astype(int)]
        windows = np.stack([sound[start : start + WINDOW] for start in starts])
        expected = np.asarray(model.predict(windows, verbose=0), dtype="float64").mean(axis=0)
        assert prediction.path == path and prediction.error is None
        assert prediction.labels == LABELS and prediction.windows == len(windows)
        # Convolutions of another batch size may add in another order.
        np.testing.assert_allclose(prediction.probabilities, expected, atol=2e-6)
        assert prediction.chosen == (LABELS[int(expected.argmax())],)


def test_silent_windows_do_not_vote_where_the_model_says_so(model: Any, tmp_path: Path) -> None:
    sound = np.zeros(5 * WINDOW, "float32")
    sound[:WINDOW] = np.random.default_rng(0).uniform(-0.5, 0.5, WINDOW)
    soundfile.write(tmp_path / "a.wav", sound, SAMPLE_RATE)
    written = soundfile.read(tmp_path / "a.wav", dtype="float32")[0]
    listening = keraudio.AudioClassifier(
        model.front_end, model.backbone, model.description.model_copy(update={"silence": -70.0})
    )
    listening.set_weights(model.get_weights())
    ((every,), (heard,)) = (list(predict_files(one, [tmp_path / "a.wav"])) for one in (model, listening))
    # The window of the sound, and that of its second half; seven more are silent.
    assert (every.windows, heard.windows) == (9, 2)
    windows = np.stack([written[:WINDOW], written[WINDOW // 2 : 3 * WINDOW // 2]])
    expected = np.asarray(model.predict(windows, verbose=0), dtype="float64").mean(axis=0)
    np.testing.assert_allclose(heard.probabilities, expected, atol=2e-6)


def test_neighbours_and_threads_change_no_bit(model: Any, songs: list[Path]) -> None:
    alone = [next(predict_files(model, [path], jobs=1)).probabilities for path in songs]
    for jobs in (1, 2, 7):
        together = [prediction.probabilities for prediction in predict_files(model, songs, jobs=jobs)]
        np.testing.assert_array_equal(together, alone)
    backwards = [prediction.probabilities for prediction in predict_files(model, songs[::-1], jobs=3)]
    np.testing.assert_array_equal(backwards[::-1], alone)


def test_files_that_cannot_be_read_are_answers_in_their_place(model: Any, songs: list[Path], tmp_path: Path) -> None:
    reasons = write_broken_songs(tmp_path)
    paths = [path for name in reasons for path in (tmp_path / name, songs[2])]
    predictions = list(predict_files(model, [*paths, tmp_path]))
    assert [prediction.path for prediction in predictions] == [*paths, tmp_path]
    expected = [*reasons.items(), (tmp_path.name, "is a folder")]
    for prediction, (name, phrase) in zip(predictions[::2], expected, strict=True):
        assert prediction.path.name == name
        assert phrase in str(prediction.error) and "\n" not in str(prediction.error)
        assert prediction.probabilities is None and prediction.chosen == () and prediction.windows == 0
        assert prediction.top(3) == [] and prediction.confidence is None
    good = predictions[1:-1:2]
    assert all(prediction.error is None for prediction in good)
    np.testing.assert_array_equal([p.probabilities for p in good], [good[0].probabilities] * len(good))


def test_nothing_is_predicted_of_no_files(model: Any) -> None:
    assert list(predict_files(model, [])) == []


@pytest.mark.parametrize("arguments", [{"windows": 0}, {"jobs": 0}, {"windows": -1}])
def test_counts_below_one_are_refused(model: Any, arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1\. Received: "):
        next(predict_files(model, [], **arguments))


def test_an_unknown_vote_is_refused(model: Any, songs: list[Path]) -> None:
    with pytest.raises(ValueError, match="how='median'"):
        next(predict_files(model, songs, how="median"))


def test_a_model_without_a_description_is_refused(songs: list[Path]) -> None:
    import keras

    plain = keras.Sequential([keras.Input((10,)), keras.layers.Dense(2)])
    with pytest.raises(keraudio.ModelFileError, match="must carry a description"):
        next(predict_files(plain, songs))


@pytest.mark.parametrize("jobs", [1, 3])
def test_decoding_runs_ahead_by_at_most_twice_the_jobs(
    model: Any, songs: list[Path], monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    begun: list[Path] = []
    running, most = 0, 0
    lock = threading.Lock()

    examine = Workers.examine

    def counted(self: Workers, path: Path) -> Any:
        nonlocal running, most
        with lock:
            begun.append(path)
            running += 1
            most = max(most, running)
        try:
            return examine(self, path)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(Workers, "examine", counted)
    for taken, _ in enumerate(predict_files(model, songs * 4, jobs=jobs), start=1):
        # Time for the threads to run as far ahead as they may.
        time.sleep(0.005)
        assert len(begun) <= taken - 1 + 2 * jobs
    assert len(begun) == 4 * len(songs) and most <= jobs


def test_whoever_stops_early_leaves_no_decoding_behind(
    model: Any, songs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []

    examine = Workers.examine

    def counted(self: Workers, path: Path) -> Any:
        begun.append(path)
        return examine(self, path)

    monkeypatch.setattr(Workers, "examine", counted)
    predictions = predict_files(model, songs * 10, jobs=2)
    next(predictions)
    predictions.close()
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("decode") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(begun) <= 4


def test_where_the_time_went_is_told(model: Any, songs: list[Path]) -> None:
    seconds = Seconds()
    list(predict_files(model, songs, seconds=seconds))
    assert seconds.decoding > 0 and seconds.predicting > 0 and seconds.waiting >= 0


class _Saying:
    """A model's stand-in that says the same of every window."""

    def __init__(self, probabilities: list[float], **description: Any):
        self.probabilities = probabilities
        labels = tuple("abc"[: len(probabilities)])
        self.description = keraudio.Description(
            labels=labels, sample_rate=4000, window=WINDOW, hop=WINDOW, **description
        )
        self.shapes: set[tuple[int, ...]] = set()

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.add(batch.shape)
        return np.tile(np.float32(self.probabilities), (len(batch), 1))


@pytest.fixture
def saying(monkeypatch: pytest.MonkeyPatch, songs: list[Path]) -> Any:
    monkeypatch.setattr("keraudio.classifier.describe", lambda model: model.description)

    def say(probabilities: list[float], **description: Any) -> Prediction:
        return next(predict_files(_Saying(probabilities, **description), songs[2:3]))  # type: ignore[arg-type]

    return say


@pytest.mark.parametrize(
    ("probabilities", "thresholds", "chosen"),
    [
        ([0.2, 0.5, 0.3], None, ("b",)),
        ([0.34, 0.33, 0.33], None, ("a",)),
        # Of equal probabilities the model's first label is the answer.
        ([0.2, 0.4, 0.4], None, ("b",)),
        ([0.2, 0.5, 0.3], (0.5, 0.5, 0.5), ("b",)),
        ([0.2, 0.5, 0.3], (0.1, 0.6, 0.1), ()),
    ],
)
def test_one_label_is_the_likeliest_if_it_reaches_its_threshold(
    saying: Any, probabilities: list[float], thresholds: tuple[float, ...] | None, chosen: tuple[str, ...]
) -> None:
    prediction = saying(probabilities, thresholds=thresholds)
    assert prediction.chosen == chosen
    assert prediction.confidence == (pytest.approx(max(probabilities)) if chosen else None)


@pytest.mark.parametrize(
    ("probabilities", "thresholds", "chosen"),
    [
        ([0.6, 0.9, 0.4], None, ("b", "a")),
        ([0.5, 0.49, 0.0], None, ("a",)),
        ([0.8, 0.3, 0.3], (0.9, 0.2, 0.3), ("b", "c")),
        ([0.1, 0.1, 0.1], None, ()),
    ],
)
def test_several_labels_are_all_that_reach_theirs_likeliest_first(
    saying: Any, probabilities: list[float], thresholds: tuple[float, ...] | None, chosen: tuple[str, ...]
) -> None:
    prediction = saying(probabilities, thresholds=thresholds, multi_label=True)
    assert prediction.chosen == chosen
    assert [label for label, _ in prediction.top(2)] == [
        label for _, label in sorted(zip(probabilities, "abc", strict=True), key=lambda pair: -pair[0])
    ][:2]


def test_every_clip_is_one_batch_of_one_shape(monkeypatch: pytest.MonkeyPatch, songs: list[Path]) -> None:
    # So that a model is compiled once, however long the files are.
    monkeypatch.setattr("keraudio.classifier.describe", lambda model: model.description)
    model = _Saying([0.5, 0.5])
    list(predict_files(model, songs, windows=6))  # type: ignore[arg-type]
    assert model.shapes == {(6, WINDOW)}


def test_extra_labels_are_answers_only_where_they_are_asked_for(songs: list[Path]) -> None:
    import keras

    from keraudio.layers import LabelProbabilities

    # Three labels that are always 0.9, 0.8 and 0.7.
    inputs = keras.Input((WINDOW,))
    logits = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer=_log_odds)(inputs)
    description = {
        "labels": ["Loud", "Rock", "Sad"], "extra_labels": ["Loud", "Sad"], "sample_rate": 4000, "window": WINDOW,
        "hop": WINDOW, "multi_label": True, "thresholds": [0.85, 0.75, 0.75],
    }  # fmt: skip
    model = keras.Model(inputs, LabelProbabilities(description)(logits))
    genre = next(predict_files(model, songs[:1]))
    assert (genre.labels, genre.chosen) == (("Rock",), ("Rock",))
    np.testing.assert_allclose(genre.probabilities, [0.8], atol=1e-6)
    every = next(predict_files(model, songs[:1], all_labels=True))
    assert (every.labels, every.chosen) == (("Loud", "Rock", "Sad"), ("Loud", "Rock"))
    assert every.probability("Sad") == pytest.approx(0.7, abs=1e-6)


def _log_odds(shape, dtype=None):
    import keras

    return keras.ops.convert_to_tensor(np.log([9.0, 4.0, 7 / 3]).astype("float32"))


def test_a_prediction_above_a_confidence_is_what_predicting_with_it_gives(songs: list[Path]) -> None:
    model = tone_classifier(multi_label=True)
    every = list(predict_files(model, songs))
    for limit in (0.0, 0.3, 0.5, 0.52, 1.0):
        again = predict_files(model, songs, min_confidence=limit)
        assert [one.above(limit).chosen for one in every] == [one.chosen for one in again]
