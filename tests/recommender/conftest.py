"""What the recommender's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numba
import pytest
import torch

# ranx compiles for half a minute before its first number; it is the same code uncompiled.
numba.config.DISABLE_JIT = True


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tensors of tests are tiny: a second thread costs more than it does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def ml1m_folder():
    """The real MovieLens-1M, where the machine has it."""
    root = os.environ.get("SCREENTEST_DATA")
    if not root:
        pytest.skip("SCREENTEST_DATA is not set: no real data")
    return Path(root) / "ml-1m"


@pytest.fixture(scope="session")
def beauty_folder():
    """The real Amazon Beauty as atomic files, where the machine has them."""
    root = os.environ.get("SCREENTEST_DATA")
    if not root:
        pytest.skip("SCREENTEST_DATA is not set: no real data")
    return Path(root) / "amazon-beauty"
