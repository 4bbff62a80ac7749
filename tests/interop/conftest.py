"""Weights are the same in every run: where two float32 sums of random ones tie, a ReLU or a maximum may take either."""

import keras
import pytest


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(0)
