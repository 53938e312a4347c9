"""The stand-in: a behavioural model of a user's choice, embedded so that everything runs without a key.

It is no language model and every output says so. It reads only the messages it is sent (persona, memory with
ratings, candidates) and adds item knowledge fitted on other users: shorten the memory or drop the persona and its
answers change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agents.embedded.client import EmbeddedClient
from agents.embedded.knowledge import COMPONENTS, ItemKnowledge, Memory
from agents.embedded.wording import Choice
from agents.randomness import keyed_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.embedded.reading import PromptReader, Question
    from agents.llm.types import Draw


@dataclass(frozen=True)
class StandInConfig:
    """What moves the stand-in; switch a component off to see what it contributes."""

    noise: float = 0.3
    """Scale of the logistic noise in each draw, in units of utility (log odds); 0 = none."""
    slot_bias: float = 0.1
    """Extra utility of the first slot shown, falling as 1 / slot."""
    co_rating: bool = True
    quality: bool = True
    content: bool = True
    persona: bool = True


class StandIn(EmbeddedClient):
    """Accepts where utility + noise > 0, ranks by utility + noise; deterministic for (seed, draw).

    Asked about one item, its log odds of yes are utility + noise, without the bias of a list's slots.
    """

    label = "stand-in (behavioural choice model, not a language model; token counts approximate)"

    def __init__(
        self, reader: PromptReader, knowledge: ItemKnowledge, config: StandInConfig, seed: int
    ) -> None:
        """`reader` finds the titles that `knowledge` was fitted on."""
        super().__init__(reader)
        self._knowledge = knowledge
        self._config = config
        self._seed = seed
        self._weights = knowledge.weights * [getattr(config, name) for name in COMPONENTS]
        self.provider = f"stand-in:{knowledge.fingerprint}:{seed}:{config}"

    def choose(self, question: Question, draw: Draw) -> Choice:
        """Logistic choice over the candidates; an item it does not know has the threshold's utility."""
        n = len(question.titles)
        places, items, memory, parts = self._parts(question)
        felt = self._felt(places, parts, n, draw, self._config.slot_bias)
        order = np.argsort(-felt, kind="stable")
        reasons = ["I do not know it"] * n
        for row, place in enumerate(places):
            reasons[place] = self._reason(parts[row], memory, int(items[row]), accepted=bool(felt[place] > 0))
        return Choice(tuple(order.tolist()), frozenset(np.flatnonzero(felt > 0).tolist()), tuple(reasons))

    def probability(self, question: Question, draw: Draw) -> float:
        """Logistic in what it feels for the one candidate."""
        places, _, _, parts = self._parts(question)
        (felt,) = self._felt(places, parts, 1, draw, slot_bias=0.0).tolist()
        return 1 / (1 + math.exp(-felt))

    def _parts(self, question: Question) -> tuple[list[int], NDArray[np.int64], Memory, NDArray[np.float64]]:
        """Places and numbers of the candidates it knows, the history, and each component's say in their utilities."""
        memory = Memory(
            np.array([seen.item for seen in question.history], dtype=np.int64),
            np.array([np.nan if seen.rating is None else seen.rating for seen in question.history]),
        )
        places = [place for place, item in enumerate(question.candidates) if item is not None]
        items = np.array([item for item in question.candidates if item is not None], dtype=np.int64)
        parts = self._knowledge.components(memory, question.persona, items) * self._weights
        return places, items, memory, parts

    def _felt(
        self, places: list[int], parts: NDArray[np.float64], n: int, draw: Draw, slot_bias: float
    ) -> NDArray[np.float64]:
        """Utility and noise of `n` candidates."""
        utility = np.zeros(n)
        utility[places] = parts.sum(axis=1) + self._knowledge.intercept
        utility += slot_bias / (1 + np.arange(n))
        generator = keyed_generator(self._seed, "stand-in", *draw.key)
        felt: NDArray[np.float64] = utility + self._config.noise * generator.logistic(size=n)
        return felt

    def _reason(self, parts: np.ndarray, memory: Memory, item: int, *, accepted: bool) -> str:
        if not accepted:
            return "it is further from what I usually choose"
        if COMPONENTS[int(parts.argmax())] == "co_rating":
            nearest = self._knowledge.nearest(memory, item)
            if nearest is not None:
                return f"people who liked {self._knowledge.titles[nearest]} tend to like it"
        return f"I like {' and '.join(self._knowledge.genres[item]) or 'this kind'}"
