"""What an environment does with episodes: begin one, step many, and say what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

import numpy as np

from recommender.metrics import ranking_metrics
from simulator.attendance import accepted_share
from simulator.environment.screening import Screening
from simulator.environment.slates import slate_of
from simulator.environment.spaces import Spaces
from simulator.scenario import Scenario, ScenarioError, load
from simulator.sending import Sending
from simulator.study import check_arm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulator.environment.episode import Episode
    from simulator.environment.spaces import Observation
    from simulator.transcript.turns import Turn

_DRAWS = 1000
"""Of somebody who comes at all, before it is given up."""


class PlayOptions(TypedDict, total=False):
    """Options of an environment beside its scenario."""

    overrides: Sequence[str]
    """Of the scenario's keys, such as "users.count=50"; of a file only."""
    arm: str | None
    """The name under which a run records the arm's turns; None is the first."""
    slate: Literal["proposed", "shown"]
    """Places of an action. proposed, the default: 2N, of which the answer and the scenario's refinement make the N that are
    shown, as in a run; shown: N, all of which are shown."""
    invalid: Literal["repair", "raise"]
    """What becomes of places that hold what may not be shown: repaired by the rule of `slate_of`, the default, or ActionError."""
    history_length: int
    """Places of the history in an observation; 50 if not given."""
    max_episode_steps: int | None
    """Steps after which an episode is truncated; None, the default, is never."""
    metrics: bool
    """Whether `info` tells HR and NDCG of the shown list against the user's held-out items that were not shown before."""
    out: str | Path | None
    """Folder for the calls, needed by a language model, and not asked again what it holds."""
    sending: Sending
    """Caps of what may be spent, and whose record answers first."""


class Step(NamedTuple):
    """What `gymnasium.Env.step` gives."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class Play:
    """A screening as an environment plays it."""

    def __init__(self, scenario: Scenario | str | Path, options: PlayOptions) -> None:
        """`scenario` is a file, or a scenario that was loaded. Raises what `load` and `Screening` raise."""
        if unknown := options.keys() - PlayOptions.__annotations__.keys():
            known = ", ".join(PlayOptions.__annotations__)
            raise TypeError(f"an environment has no option {min(unknown)!r}; it has scenario, {known}")
        if isinstance(scenario, Scenario):
            if options.get("overrides"):
                raise ScenarioError(
                    "overrides are of a scenario file; this scenario was loaded already: load it with them"
                )
        else:
            scenario = load(Path(scenario), options.get("overrides", ()), check_arm)
        out, wanted = options.get("out"), options.get("slate", "proposed")
        self._repair = _one_of("invalid", options.get("invalid", "repair"), ("repair", "raise")) == "repair"
        size = {"proposed": 2 * scenario.n, "shown": scenario.n}[
            _one_of("slate", wanted, ("proposed", "shown"))
        ]
        length, self._most = options.get("history_length", 50), options.get("max_episode_steps")
        if length < 1 or (self._most is not None and self._most < 1):
            raise ValueError("history_length and max_episode_steps should be 1 or more")
        self._metrics = options.get("metrics", False)
        self.screening = Screening(
            scenario,
            options.get("arm"),
            None if out is None else Path(out),
            options.get("sending", Sending()),
        )
        self.spaces = Spaces(self.screening, size, length)
        self._users = [*self.screening.viewers]

    def begin(self, draw: np.random.Generator, options: Mapping[str, Any]) -> Episode:
        """An episode of the `user` and `replicate` of `options`; what these leave open is drawn, among users who come at all."""
        if unknown := options.keys() - {"user", "replicate"}:
            raise ValueError(f"reset has options user and replicate, not {min(unknown)!r}")
        for _ in range(_DRAWS):
            user = options.get("user")
            replicate = options.get("replicate")
            if user is None:
                user = self._users[int(draw.integers(len(self._users)))]
            if replicate is None:
                replicate = int(draw.integers(self.screening.scenario.replicates))
            episode = self.screening.begin(user, replicate)
            if not episode.over:
                return episode
        raise ScenarioError(
            "of those that reset may begin with nobody comes to any round; raise population.activity"
        )

    def step(self, moves: Sequence[tuple[Episode, NDArray[np.int64]]]) -> list[Step]:
        """A step of each episode with its action; all users are asked together."""
        slates = [
            slate_of(action, episode.mask, self.spaces.size, repair=self._repair) for episode, action in moves
        ]
        episodes = [episode for episode, _ in moves]
        turns = self.screening.play(list(zip(episodes, slates, strict=True)))
        return [
            self._step(episode, turn, slate.repaired)
            for episode, turn, slate in zip(episodes, turns, slates, strict=True)
        ]

    def info(self, episode: Episode) -> dict[str, Any]:
        """What is told of an episode beside what a policy may know."""
        return {
            "user_id": episode.viewer.user_id,
            "replicate": episode.replicate,
            "satisfaction": episode.satisfaction,
            "left": episode.left,
        }

    def _step(self, episode: Episode, turn: Turn, repaired: int) -> Step:
        truncated = not episode.over and self._most is not None and len(episode.turns) >= self._most
        info = {
            **self.info(episode),
            "status": turn.status,
            "answered": not turn.fallback,
            "accepted": sum(item in turn.accepted for item in turn.final),
            "shown": len(turn.final),
            "repaired": repaired,
        }
        if self._metrics and turn.targets:
            info["metrics"] = _measured(turn, self.screening.scenario.cutoffs)
        # What was not answered was not accepted either.
        reward = accepted_share(turn) or 0.0
        return Step(self.spaces.observe(episode), reward, episode.over, truncated, info)


def _measured(turn: Turn, cutoffs: Sequence[int]) -> dict[str, float]:
    hits = np.array([[item in turn.targets for item in turn.final]])
    found = ranking_metrics(hits, np.array([len(turn.targets)]), cutoffs)
    return {name: float(value[0]) for name, value in found.items() if name.startswith(("hr", "ndcg"))}


def _one_of(name: str, value: str, known: tuple[str, str]) -> str:
    if value not in known:
        raise ValueError(f"{name} should be {known[0]} or {known[1]}, not {value!r}")
    return value
