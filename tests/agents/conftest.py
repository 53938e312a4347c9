"""One town for all tests of embedded users."""

from __future__ import annotations

import pytest
from embedded_town import found_town


@pytest.fixture(scope="session")
def town():
    return found_town()
