import re
from pathlib import Path

import pytest

from keraudio import ModelFileError
from keraudio.model_file import check_model_file
from keraudio.saved_models import DEFAULT_MODEL, resolve_model, saved_models

MODELS = saved_models()


def test_the_default_model_is_there() -> None:
    assert DEFAULT_MODEL in MODELS


@pytest.mark.parametrize("name", MODELS)
def test_each_model_describes_itself(name: str) -> None:
    description = check_model_file(MODELS[name])
    assert len(description.labels) >= 2
    assert description.window / description.sample_rate <= 30


@pytest.mark.parametrize("name", MODELS)
def test_each_model_has_a_card_that_names_its_labels_and_what_it_is_not_for(name: str) -> None:
    card = MODELS[name].with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith(f"# {name}")
    missing = [label for label in check_model_file(MODELS[name]).labels if label not in card]
    assert not missing
    assert re.search(r"licen[cs]e", card, re.IGNORECASE)


@pytest.mark.backends
@pytest.mark.parametrize("name", MODELS)
def test_each_model_loads_on_every_backend_and_gives_probabilities(name: str) -> None:
    import keras
    import numpy as np

    import keraudio

    model = keraudio.load(MODELS[name])
    description = keraudio.describe(model)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, description.window)).astype("float32")
    noise[1] = 0
    probabilities = keras.ops.convert_to_numpy(model(noise, training=False))
    assert probabilities.shape == (2, len(description.labels)) and probabilities.dtype == "float32"
    assert np.isfinite(probabilities).all() and probabilities.min() >= 0
    if not description.multi_label:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_name_is_the_file_of_that_model() -> None:
    assert resolve_model(DEFAULT_MODEL) == MODELS[DEFAULT_MODEL]


def test_a_run_folder_is_its_model(tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    assert resolve_model(str(tmp_path)) == tmp_path / "model.keras"


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"must hold model\.keras"):
        resolve_model(str(tmp_path))


def test_a_path_is_itself_even_where_nothing_is(tmp_path: Path) -> None:
    # The check of the file then says what is wrong with it.
    assert resolve_model(str(tmp_path / "missing.keras")) == tmp_path / "missing.keras"
    (tmp_path / "weights.bin").touch()
    assert resolve_model(str(tmp_path / "weights.bin")) == tmp_path / "weights.bin"


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_model("~/mine.keras") == tmp_path / "mine.keras"


def test_a_file_named_like_a_model_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / DEFAULT_MODEL).mkdir()
    (tmp_path / DEFAULT_MODEL / "model.keras").touch()
    monkeypatch.chdir(tmp_path)
    assert resolve_model(DEFAULT_MODEL) == Path(DEFAULT_MODEL) / "model.keras"


@pytest.mark.parametrize(("name", "ending"), [("openmusic_basline", "Did you mean 'openmusic_baseline'?"), ("", "")])
def test_an_unknown_name_names_the_nearest(name: str, ending: str) -> None:
    if name == "":
        # The empty path is the working folder, which is no run.
        with pytest.raises(ModelFileError, match=r"must hold model\.keras"):
            resolve_model(name)
        return
    with pytest.raises(ModelFileError) as caught:
        resolve_model(name)
    assert str(caught.value).endswith(ending)
