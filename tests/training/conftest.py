from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from tones import tone_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six noisy tones of each of two labels to train on, two to validate."""
    return tone_clips(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def use_feed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes trainings take one kind of feed, whatever is installed."""

    def use(kind: str) -> None:
        # By module: in the package the function `feed` hides the module of that name.
        monkeypatch.setattr(import_module("keraudio.pipeline.feed"), "feed_kind", lambda: kind)

    return use
