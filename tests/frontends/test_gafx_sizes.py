"""Shapes and parameter counts of the full sizes, which are the same on every backend: Hybrid Demucs and GAFX."""

import numpy as np

from keraudio.frontends import gafx_a, gafx_r, gafx_u
from keraudio.frontends.hdemucs import hdemucs


def test_counts_and_shapes_are_those_of_version_3() -> None:
    model = hdemucs(480000)
    assert model.count_params() == 83_637_832
    assert model.output_shape == (None, 480000, 8)
    shapes = {
        layer.name: layer.output.shape[1:]
        for layer in model.layers
        if layer.name.endswith(("gated", "conv", "cropped"))
    }
    # Bins shrink by four and then to one, where both branches have 469 frames; channels double.
    bins, width = (512, 128, 32, 8, 1, 1), (48, 96, 192, 384, 768, 1536)
    frames, samples = (469, 469, 469, 469, 469, 235), (120000, 30000, 7500, 1875)
    for number in range(6):
        assert shapes[f"encoder_{number}_gated"] == (frames[number], bins[number], width[number])
        assert shapes[f"decoder_{number}_gated"] == (frames[number], bins[number], width[number])
    for number in range(4):
        assert shapes[f"time_encoder_{number}_gated"] == (samples[number], 1, width[number])
        assert shapes[f"time_decoder_{number}_gated"] == (samples[number], 1, width[number])
    assert shapes["time_encoder_4_conv"] == (469, 1, 768)
    assert shapes["decoder_0_cropped"] == (469, 2048, 16) and shapes["time_decoder_0_cropped"] == (480000, 1, 8)


def test_30_seconds_give_the_papers_shapes() -> None:
    u = gafx_u(16000, samples=480000)
    assert u.output_shape == (None, 1876, 128)
    assert u.get_layer("sources").output.shape == (None, 469, 2048, 16)
    assert u.count_params() == 83_637_832 + 3
    r = gafx_r(22050, samples=661600)
    assert r.output_shape == (None, 3308, 128) and r.get_layer("mean").input.shape == (None, 3308, 4, 128)
    assert sum(int(np.prod(weight.shape)) for weight in r.trainable_weights) == 12_269_248
    a = gafx_a(22050, samples=661600)
    assert a.output_shape == (None, 3308, 128) and a.get_layer("columns").input.shape == (None, 3308, 4, 128)
    # 10 s of the augmentation, and the 1024 frames of AudioSet's pretraining.
    assert gafx_r(22050, samples=220500).output_shape == (None, 1103, 128)
    assert gafx_r(22050, samples=204800).output_shape == (None, 1024, 128)


def test_columns_of_gafx_r_shrink_as_table_2_has_it() -> None:
    model = gafx_r(22050, samples=661600)
    columns = [model.get_layer(name).output.shape[2:] for name in ("stem_relu", "stem_pool")]
    columns += [model.get_layer(f"stage_{stage}_block_2_relu_2").output.shape[2:] for stage in range(1, 6)]
    assert columns == [(100, 64), (50, 64), (50, 64), (25, 128), (13, 256), (7, 512), (4, 128)]
