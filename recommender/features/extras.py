"""Libraries that only some features need: imported when they are asked for, named with their extra when they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from recommender.data.dataset import DataError


def require(module: str, extra: str) -> Any:
    """The module, or a DataError that says what to install."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError, RuntimeError) as error:  # the latter two: built for another torch
        raise DataError(
            f"these features need {module}, which cannot be imported ({error}); "
            f"install it with: pip install 'screentest[{extra}]'"
        ) from error
