import pytest
from small_classifier import small_classifier
from tones import run_python

import keraudio
from keraudio.version import __version__

HEAVY = (
    "keras tensorflow jax torch librosa scipy sklearn pandas matplotlib av soundfile keras_hub numba pydantic".split()
)


def loaded(code: str) -> set[str]:
    """Which heavy modules a fresh process has loaded after `code`."""
    done = run_python(f"{code}\nimport sys\nprint(*({set(HEAVY)} & set(sys.modules)))", backend="jax")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import keraudio") == set()


def test_decoding_loads_no_keras() -> None:
    assert loaded("from keraudio import load_audio") <= {"soundfile"}


def test_the_layers_load_keras_and_its_backend_alone() -> None:
    assert not loaded("import keraudio.layers") & {"librosa", "numba", "keras_hub", "soundfile", "torch"}


@pytest.mark.parametrize(
    "code",
    ["import keraudio, keras", "import keras, keraudio", "import keraudio.classifier", "import keraudio.layers.stft"],
)
def test_the_layers_are_registered_as_soon_as_keras_and_keraudio_are_imported_in_either_order(code) -> None:
    check = "import keras; print(keras.saving.get_registered_object('keraudio>STFT').__name__)"
    done = run_python(f"{code}\n{check}", backend="jax")
    assert done.stdout == "STFT\n", done.stderr


def test_a_model_file_is_checked_without_loading_keras(tmp_path) -> None:
    keraudio.save(small_classifier(), tmp_path / "m.keras")
    code = "from pathlib import Path\nfrom keraudio.model_file import check_model_file\n"
    assert loaded(f"{code}check_model_file(Path({str(tmp_path / 'm.keras')!r}))") == {"pydantic"}


def test_every_public_name_is_there() -> None:
    for name in keraudio.__all__:
        assert getattr(keraudio, name) is not None
    assert set(keraudio.__all__) <= set(dir(keraudio))
    assert keraudio.__version__ == __version__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        keraudio.nonsense  # noqa: B018
