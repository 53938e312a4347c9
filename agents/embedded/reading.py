"""What an embedded user finds in the messages it is sent: it knows nothing else of the question."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

from agents.reply import Asked, TitleIndex, VerbatimTitles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.llm.types import Message

_OFFER = re.compile(r"\bto recommend\b:?", re.IGNORECASE)
_OFFER_END = re.compile(r"\b(?:and )?your task\b|\bplease reply\b", re.IGNORECASE)
_MEMORY = re.compile(r"\byou have (?:watched|bought|read|rated|used)\b", re.IGNORECASE)
_RATING = re.compile(r"\s*\((\d(?:\.\d)?)\)")
_NAME = re.compile(r"\buser called ([^(.\n]+?)\s*[(.]")
_RANKING_AS = re.compile(r"\bmy ranking(?: as ([^\n]+?))? would be\b", re.IGNORECASE)
_ACCEPT = re.compile(
    r"\bI would accept these recommendations\b|\bwhether or not you will accept\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Watched:
    """One item of the memory: its number in the catalogue and the rating beside it, if one is."""

    item: int
    rating: float | None


@dataclass(frozen=True)
class Question:
    """The parts of a prompt. Items are catalogue numbers; a candidate not in the catalogue is None."""

    name: str | None
    persona: str
    """All text before the memory."""
    candidates: tuple[int | None, ...]
    titles: tuple[str, ...]
    """The candidates as written, in the order shown."""
    asked: Asked
    recall: Callable[[], tuple[Watched, ...]] = field(repr=False, compare=False)
    """Reads the history: a long text, and many users have no use for it."""

    @cached_property
    def history(self) -> tuple[Watched, ...]:
        """What was watched, in the order told."""
        return self.recall()


class PromptReader:
    """Finds a closed catalogue of titles in free text, as a language model that knows them would."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._titles = tuple(titles)
        self._index, self._verbatim = TitleIndex(titles), VerbatimTitles(titles)
        # Several embedded users answer the same prompt: the audience and every null user.
        self._remembered = lru_cache(maxsize=4096)(self._read)

    def read(self, messages: tuple[Message, ...]) -> Question:
        """Read the question; a part that is not there is empty. The last questions are remembered."""
        return self._remembered(messages)

    def _read(self, messages: tuple[Message, ...]) -> Question:
        text = "\n".join(message.content for message in messages)
        offers = list(_OFFER.finditer(text))
        begin = offers[-1].end() if offers else len(text)
        ending = _OFFER_END.search(text, begin)
        end = ending.start() if ending else len(text)
        before, offer, after = text[:begin], text[begin:end], text[end:]
        memory = _MEMORY.search(before)
        persona = before[: memory.start()] if memory else before
        candidates, titles = self._candidates(offer)
        ranking = _RANKING_AS.search(after)
        return Question(
            name=_called(ranking, persona),
            persona=persona,
            candidates=candidates,
            titles=titles,
            asked=Asked(accept=bool(_ACCEPT.search(after)), rank=ranking is not None),
            recall=partial(self._history, before[memory.end() :]) if memory else tuple,
        )

    def _history(self, text: str) -> tuple[Watched, ...]:
        found = []
        for mention in self._index.find(text):
            # Not a title: a word of the sentence. Two titles: works of one name, nobody could tell which was watched.
            if not mention.credible or len(mention.positions) != 1:
                continue
            rating = _RATING.match(text, mention.end)
            found.append(Watched(mention.positions[0], float(rating.group(1)) if rating else None))
        return tuple(found)

    def _candidates(self, text: str) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
        if (listed := self._verbatim.read(text.strip().rstrip(","))) is not None:
            return tuple(listed), tuple(self._titles[item] for item in listed)
        candidates, titles = [], []
        for mention in self._index.find(text):
            if not mention.credible:
                continue
            candidates.append(mention.positions[0] if len(mention.positions) == 1 else None)
            titles.append(text[mention.start : mention.end])
        return tuple(candidates), tuple(titles)


def _called(ranking: re.Match[str] | None, persona: str) -> str | None:
    """The name that the asked phrase wants repeated, else the one the persona is introduced by."""
    if ranking and ranking.group(1):
        return ranking.group(1).strip()
    introduced = _NAME.search(persona)
    return introduced.group(1).strip() if introduced else None
