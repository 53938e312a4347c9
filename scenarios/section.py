"""What the sections of scenario files share: strict types, and names that may be plug-ins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

# Type checks are strict ("10" is no number), but YAML has no paths and no tuples: these two take text and lists.
FilePath = Annotated[Path, Field(strict=False)]
PositiveInts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """Keys and values, frozen; an unknown key is a mistake, and the text below a field is its help."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def named(*shipped: str) -> AfterValidator:
    """One of the shipped names, or the `module:Class` of a plug-in."""

    def check(value: str) -> str:
        if value in shipped or _REFERENCE.fullmatch(value):
            return value
        raise ValueError(f"should be {', '.join(shipped)} or a plug-in as module:Class, not {value!r}")

    return AfterValidator(check)


def increasing(values: tuple[int, ...]) -> tuple[int, ...]:
    """The values as they are; ValueError where one repeats or is smaller than the one before."""
    if list(values) != sorted(set(values)):
        raise ValueError(f"should increase and not repeat: {sorted(set(values))}")
    return values
