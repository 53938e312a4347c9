"""The spaces of actions and observations, and what a policy is told of an episode; nothing of what is held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from gymnasium import spaces

from recommender.data.histories import PAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simulator.environment.episode import Episode
    from simulator.environment.screening import Screening

Observation: TypeAlias = dict[str, Any]
"""By name, arrays and whole numbers as `Spaces.observation` has them."""


class Spaces:
    """What actions and observations of an environment look like.

    An action is `size` numbers of items, best first. An observation has

    - `user`: row of the user in the users' table; `profile` (F,): its labels, as a recommender knows them;
    - `history` (L,): numbers of the newest items that it is known to have had, then of those it accepted; newest last, -1 in front;
    - `round`: the one that waits for a slate, from 1; in the end the last one that was played;
    - `slate` (size,): item numbers of the slate before, as it was put before the user; -1 where there was none;
    - `answer` (size,): of each of its places, 1 accepted, -1 rejected, 0 neither;
    - `shown` (size,): 1 where the place is part of the final list, which the user was shown;
    - `action_mask` (I,): 1 where an item may be shown.
    """

    def __init__(self, screening: Screening, size: int, history_length: int) -> None:
        """`size` places of an action, `history_length` L of the history, both at least 1."""
        self.size, self._length = size, history_length
        self._rows = screening.item_rows
        items, users = len(screening.item_ids), len(screening.prepared.split.dataset.users)
        self.action: spaces.MultiDiscrete = spaces.MultiDiscrete([items] * size)
        labels = np.array(screening.prepared.labels.sizes, dtype=np.int64)
        self.observation: spaces.Dict = spaces.Dict(
            {
                "user": spaces.Discrete(users),
                "profile": spaces.MultiDiscrete(labels),
                "history": spaces.Box(PAD, items - 1, (history_length,), np.int64),
                "round": spaces.Discrete(screening.scenario.rounds, start=1),
                "slate": spaces.Box(PAD, items - 1, (size,), np.int64),
                "answer": spaces.Box(-1, 1, (size,), np.int8),
                "shown": spaces.MultiBinary(size),
                "action_mask": spaces.MultiBinary(items),
            }
        )

    def observe(self, episode: Episode) -> Observation:
        """What a policy is told now."""
        history = np.full(self._length, PAD, dtype=np.int64)
        if len(known := episode.history[-self._length :]):
            history[-len(known) :] = known
        slate = np.full(self.size, PAD, dtype=np.int64)
        answer, shown = np.zeros(self.size, dtype=np.int8), np.zeros(self.size, dtype=np.int8)
        if episode.turns:
            turn = episode.turns[-1]
            slate[: len(turn.slate)] = [self._rows[item] for item in turn.slate]
            answer[: len(turn.slate)] = _among(turn.slate, turn.accepted) - _among(turn.slate, turn.rejected)
            shown[: len(turn.slate)] = _among(turn.slate, turn.final)
        return {
            "user": np.int64(episode.viewer.row),
            "profile": episode.viewer.profile.copy(),
            "history": history,
            "round": np.int64(episode.round),
            "slate": slate,
            "answer": answer,
            "shown": shown,
            "action_mask": episode.mask.astype(np.int8),
        }


def _among(items: Sequence[str], chosen: Sequence[str]) -> NDArray[np.int8]:
    return np.array([item in chosen for item in items], dtype=np.int8)
