"""UMI: user-aware multi-interest learning for candidate matching (Chai et al. 2022, SIGIR, the paper's [1])."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recommender.models.uim import UiM, UiMConfig

if TYPE_CHECKING:
    from recommender.models.base import Inputs
    from recommender.models.layers.softmax import Negatives


@dataclass(frozen=True)
class UMIConfig:
    """Options of UMI."""

    dim: int = 64
    """d: width of item vectors and interests."""
    interests: int = 3
    """K, the number of capsules."""
    history: int = 30
    """L, newest items of the history that are read."""
    profile_dim: int = 16
    """Width of each profile field's embedding."""
    negatives: Negatives = field(default=5, metadata={"types": (str, int)})
    """So many drawn uniformly for each example and summed as they are; "full" and "in_batch" as in UiM."""
    temperature: float = 1.0
    """tau of the softmax."""


class UMI(UiM):
    """UiM's profile and interests on ids alone: Eq. 4-12 are UMI's, multi-modal items and the rest are not.

    The history is a set, as in both papers. Routing starts from one fixed draw, at serving too, where ports of the
    published code draw anew and score the same user differently from call to call.
    """

    Config = UMIConfig
    reads_text = False
    reads_visual = False

    def __init__(self, config: UMIConfig, inputs: Inputs) -> None:
        full = UiMConfig(
            dim=config.dim,
            text=False,
            visual=False,
            graph=False,
            attention=False,
            interests=config.interests,
            history=config.history,
            profile_dim=config.profile_dim,
            negatives=config.negatives,
            log_q=config.negatives == "in_batch",
            temperature=config.temperature,
            position=False,
            recency=False,
        )
        super().__init__(full, inputs)
