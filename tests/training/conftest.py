from typing import Any

import pytest
from tones import tone_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six noisy tones of each of two labels to train on, two to validate."""
    return tone_clips(tmp_path_factory.mktemp("tones"))
