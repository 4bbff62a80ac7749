import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layer_checks import array, run

from keraudio.convert import convert_hdemucs
from keraudio.convert.hdemucs import set_hdemucs_weights
from keraudio.errors import ModelFileError
from keraudio.frontends.hdemucs import hdemucs
from keraudio.learned_front_end import load_front_end

ARGUMENTS = {
    "sources": ["drums", "vocals"],
    "channels": 4,
    "nfft": 256,
    "depth": 4,
    "dconv_lstm": 3,
    "dconv_attn": 3,
    "norm_starts": 2,
    "norm_groups": 2,
    # That of a model's class, of no weight's shape.
    "samplerate": 44100,
    "segment": 40,
}
OURS = {"channels": 4, "n_fft": 256, "depth": 4, "dconv_starts": 3, "norm_starts": 2, "norm_groups": 2}


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    import torch
    from demucs.hdemucs import HDemucs

    torch.manual_seed(0)
    return {name: value.numpy() for name, value in HDemucs(**ARGUMENTS).state_dict().items()}


def write(path: Path, state: dict[str, np.ndarray], arguments: dict[str, Any], *, kind: str | None = None) -> Path:
    """A file as Demucs publishes them."""
    from safetensors.numpy import save_file

    facts = {"klass": kind or "demucs.hdemucs.HDemucs", "args": "[]", "kwargs": json.dumps(arguments)}
    save_file({name: np.ascontiguousarray(value) for name, value in state.items()}, path, metadata=facts)
    return path


def test_a_published_file_becomes_a_front_end_that_fit_may_start_from(state, tmp_path: Path) -> None:
    weights = write(tmp_path / "a.safetensors", state, ARGUMENTS)
    model = convert_hdemucs(weights, tmp_path / "a.keras", sample_rate=8000, seconds=0.25)
    loaded = load_front_end(tmp_path / "a.keras")
    assert loaded.sample_rate == 8000 and loaded.front_end.output_shape == model.output_shape == (None, 64, 128)
    x = np.random.default_rng(0).uniform(-1, 1, (1, 2000)).astype("float32")
    np.testing.assert_array_equal(array(run(loaded.front_end, x)), array(run(model, x)))
    kernel = array(model.get_layer("encoder_0_conv").kernel)
    np.testing.assert_array_equal(kernel[0].transpose(2, 1, 0), state["encoder.0.conv.weight"][..., 0])


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"cac": False}, "`cac` must be True. Received: False"),
        ({"hybrid_old": True}, "`hybrid_old` must be False"),
        ({"dconv_attn": 2}, "must begin in the same layer"),
        ({"sources": "drums"}, "and its sources"),
        ({"kernel_size": 4}, "Bins must shrink to 1"),
        ({"channels": 8}, r"encoder.0.conv.weight must give \(1, 8, 4, 8\)"),
        ({"depth": 5}, "must hold .*. Received: no such weight"),
    ],
    ids=str,
)
def test_other_networks_are_refused_in_a_line_and_nothing_is_written(arguments, rule, state, tmp_path: Path) -> None:
    weights = write(tmp_path / "a.safetensors", state, ARGUMENTS | arguments)
    with pytest.raises(ModelFileError, match=rule) as error:
        convert_hdemucs(weights, tmp_path / "a.keras", sample_rate=8000, seconds=0.25)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a.keras").exists()


def test_what_is_no_such_file_is_refused(state, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no weights of Hybrid Demucs"):
        convert_hdemucs(tmp_path / "none.safetensors", tmp_path / "a.keras")
    (tmp_path / "b.safetensors").write_bytes(b"torch")
    with pytest.raises(ModelFileError, match="no weights of Hybrid Demucs"):
        convert_hdemucs(tmp_path / "b.safetensors", tmp_path / "a.keras")
    other = write(tmp_path / "c.safetensors", state, ARGUMENTS, kind="demucs.htdemucs.HTDemucs")
    with pytest.raises(ModelFileError, match="must hold demucs.hdemucs.HDemucs.* Received: demucs.htdemucs.HTDemucs"):
        convert_hdemucs(other, tmp_path / "a.keras")


def test_weights_left_over_are_told(state) -> None:
    model = hdemucs(2000, sources=2, sizes=OURS)
    with pytest.raises(ModelFileError, match="Hybrid Demucs alone. Received: extra beside it"):
        set_hdemucs_weights(model, state | {"extra": np.zeros(3)})
