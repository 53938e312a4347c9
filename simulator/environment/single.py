"""The environment of one user at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import gymnasium
from gymnasium.error import ResetNeeded

from simulator.environment.play import Play, PlayOptions
from simulator.environment.spaces import Observation

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from simulator.environment.episode import Episode
    from simulator.environment.screening import Screening
    from simulator.scenario import Scenario


class ScreentestEnv(gymnasium.Env[Observation, "NDArray[np.int64]"]):
    """A user of a scenario's population, who is shown a slate in every round.

    Actions and observations are those of `Spaces`. The reward is the share that the user accepts of the list it is shown, from 0
    to 1; of a turn without a usable answer it is 0, and `info` says `answered: False`. An episode is terminated once the user
    has seen its last page: it left, nothing is left to show it, or the rounds are over.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - the base class declares it so
        "render_modes": []
    }

    def __init__(
        self,
        scenario: Scenario | str | Path,
        render_mode: str | None = None,
        **options: Unpack[PlayOptions],
    ) -> None:
        """`options` are those of `PlayOptions`. Raises what a run of the scenario would raise before it begins."""
        if render_mode is not None:
            raise ValueError(f"render_mode should be None, not {render_mode!r}: there is nothing to draw")
        self._play = Play(scenario, options)
        self._episode: Episode | None = None
        self.observation_space = self._play.spaces.observation
        self.action_space = self._play.spaces.action

    @property
    def screening(self) -> Screening:
        """The population, the data and the labels of both."""
        return self._play.screening

    @property
    def episode(self) -> Episode:
        """The one that is under way, or was the last; ResetNeeded before the first."""
        if self._episode is None:
            raise ResetNeeded("reset the environment first")
        return self._episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode of a user and replicate that are drawn, or those of `options` (`user`, an id, and `replicate`)."""
        super().reset(seed=seed)
        self._episode = self._play.begin(self.np_random, options or {})
        return self._play.spaces.observe(self._episode), self._play.info(self._episode)

    def step(self, action: NDArray[np.int64]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Put a slate before the user. Raises ActionError, ResetNeeded after the end, or Halt where no call may be sent."""
        if self.episode.over:
            raise ResetNeeded("the episode is over; reset the environment")
        (step,) = self._play.step([(self.episode, action)])
        return step

    def close(self) -> None:
        """Close what answers, and the record of its calls. Safe to call twice."""
        self._play.screening.close()
