"""Many users at once: one step asks all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from simulator.environment.play import Play, PlayOptions
from simulator.environment.spaces import Observation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from simulator.environment.episode import Episode
    from simulator.environment.screening import Screening
    from simulator.scenario import Scenario


class ScreentestVectorEnv(VectorEnv[Observation, "NDArray[np.int64]", "NDArray[Any]"]):
    """`num_envs` environments like `ScreentestEnv` over one population, whose calls go out together, as a run's do.

    It does what `gymnasium.vector.SyncVectorEnv` does with as many of them: a step after the end of an episode begins the next
    one, takes no notice of the action and is worth 0 (`AutoresetMode.NEXT_STEP`).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - the base class declares it so
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self, scenario: Scenario | str | Path, num_envs: int = 1, **options: Unpack[PlayOptions]
    ) -> None:
        """Raises as `ScreentestEnv` does."""
        if num_envs < 1:
            raise ValueError(f"num_envs should be 1 or more, not {num_envs}")
        self._play = Play(scenario, options)
        self.num_envs = num_envs
        self.single_observation_space = self._play.spaces.observation
        self.single_action_space = self._play.spaces.action
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._draws = [np_random()[0] for _ in range(num_envs)]
        self.episodes: list[Episode] = []
        """Those that are under way; none before the first reset."""
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    @property
    def screening(self) -> Screening:
        """The population, the data and the labels of both."""
        return self._play.screening

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in every place. A `seed` counts up from place to place; `options` may have a list for each.

        They are `user` and `replicate`, one value for all places or a list of as many.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = (
            [seed + at for at in range(self.num_envs)] if isinstance(seed, int) else self._each("seed", seed)
        )
        for at, each in enumerate(seeds):
            if each is not None:
                self._draws[at] = np_random(each)[0]
        given = {name: self._each(name, value) for name, value in (options or {}).items()}
        self.episodes = [
            self._play.begin(draw, {name: values[at] for name, values in given.items()})
            for at, draw in enumerate(self._draws)
        ]
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        infos: dict[str, Any] = {}
        for at, episode in enumerate(self.episodes):
            infos = self._add_info(infos, self._play.info(episode), at)
        return self._batched([self._play.spaces.observe(each) for each in self.episodes]), infos

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """A slate (size,) for each place, all (num_envs, size); raises as `ScreentestEnv.step` does."""
        if not self.episodes:
            raise ResetNeeded("reset the environment first")
        if len(actions) != self.num_envs:
            raise ValueError(
                f"there should be {self.num_envs} actions, one for each place, not {len(actions)}"
            )
        going = [at for at in range(self.num_envs) if not self._ended[at]]
        steps = dict(
            zip(going, self._play.step([(self.episodes[at], actions[at]) for at in going]), strict=True)
        )
        observations, infos = list[Observation](), dict[str, Any]()
        rewards = np.zeros(self.num_envs, dtype=np.float64)
        terminated, truncated = (np.zeros(self.num_envs, dtype=np.bool_) for _ in range(2))
        for at in range(self.num_envs):
            if (step := steps.get(at)) is None:
                self.episodes[at] = self._play.begin(self._draws[at], {})
                observations.append(self._play.spaces.observe(self.episodes[at]))
                infos = self._add_info(infos, self._play.info(self.episodes[at]), at)
            else:
                observations.append(step.observation)
                rewards[at], terminated[at], truncated[at] = step.reward, step.terminated, step.truncated
                infos = self._add_info(infos, step.info, at)
        self._ended = terminated | truncated
        return self._batched(observations), rewards, terminated, truncated, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Close what answers, and the record of its calls."""
        self._play.screening.close()

    def _each(self, name: str, value: Any) -> Sequence[Any]:
        if isinstance(value, (list, tuple)):
            if len(value) != self.num_envs:
                raise ValueError(f"{name} should be one value or {self.num_envs}, not {len(value)}")
            return value
        return [value] * self.num_envs

    def _batched(self, observations: Sequence[Observation]) -> Observation:
        space = self.single_observation_space
        empty = create_empty_array(space, n=self.num_envs, fn=np.zeros)
        return cast("Observation", concatenate(space, observations, cast("Observation", empty)))
