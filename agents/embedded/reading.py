"""What an embedded user finds in the messages it is sent: it knows nothing else of the question."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from agents.reply import Asked, TitleIndex, VerbatimTitles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agents.llm.types import Message


class _Phrase(NamedTuple):
    """A pattern without regard to case, and lower-case texts one of which is in every match, to be looked for first."""

    pattern: re.Pattern[str]
    holds: tuple[str, ...]
    lead: int = 0
    """Characters that a match may have before it."""


_OFFER = _Phrase(re.compile(r"\bto recommend\b:?", re.IGNORECASE), ("to recommend",))
_OFFER_END = _Phrase(
    re.compile(r"\b(?:and )?your task\b|\bplease reply\b", re.IGNORECASE),
    ("your task", "please reply"),
    lead=len("and "),
)
_MEMORY = _Phrase(
    re.compile(r"\byou have (?:watched|bought|read|rated|used)\b", re.IGNORECASE), ("you have ",)
)
_EARLIER = _Phrase(re.compile(r"\bin round \d+ the recommender\b", re.IGNORECASE), ("in round ",))
"""Begins what is told of earlier rounds (prompts/rounds.txt), which is no history: much of it was not accepted."""
_RANKING_AS = _Phrase(
    re.compile(r"\bmy ranking(?: as ([^\n]+?))? would be\b", re.IGNORECASE), ("my ranking",)
)
_ACCEPT = _Phrase(
    re.compile(r"\bI would accept these recommendations\b|\bwhether or not you will accept\b", re.IGNORECASE),
    ("i would accept these", "whether or not you"),
)
_YES_OR_NO = re.compile(r"\b(?:reply|answer)\b[^.\n]{0,60}\byes or no\b", re.IGNORECASE)
_BY_NUMBER = _Phrase(
    re.compile(r"\bby (?:its|their) numbers?\b|\bnumber in brackets\b", re.IGNORECASE),
    ("by its number", "by their number", "number in bracket"),
)
_IN_JSON = _Phrase(re.compile(r"\bJSON object\b", re.IGNORECASE), ("json object",))
_NUMBERED = re.compile(r"(?:^|[\s,;])\[(\d+)\][ \t]*")
_RATING = re.compile(r"\s*\((\d(?:\.\d)?)\)")
_NAME = re.compile(r"\buser called ([^(.\n]+?)\s*[(.]")
_ODD_CASE = "\u0130\u0131\u017f\u212a"
"""Letters that a pattern without regard to case takes for i, s and k, and lower case does not."""


class _Prompt:
    """A text in which phrases are found by searching for their letters first, ten times as fast as by patterns alone."""

    def __init__(self, text: str) -> None:
        self.text = text
        lowered = text.lower()
        odd = len(lowered) != len(text) or any(letter in text for letter in _ODD_CASE)
        self._lowered = None if odd else lowered

    def search(self, phrase: _Phrase, start: int, end: int) -> re.Match[str] | None:
        """The first match in `text[start:end]`."""
        if self._lowered is not None:
            at = [found for part in phrase.holds if (found := self._lowered.find(part, start, end)) >= 0]
            if not at:
                return None
            start = max(start, min(at) - phrase.lead)
        return phrase.pattern.search(self.text, start, end)

    def last(self, phrase: _Phrase, otherwise: int) -> int:
        """Where the last match ends."""
        if self._lowered is not None:
            start = max(self._lowered.rfind(part) for part in phrase.holds)
            if start < 0:
                return otherwise
            if found := phrase.pattern.match(self.text, start):
                return found.end()
        ends = [found.end() for found in phrase.pattern.finditer(self.text)]
        return ends[-1] if ends else otherwise


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
    yes_or_no: bool
    """Whether a single yes or no is asked for."""
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
        # Works of one name cannot be told apart.
        self._exact = {
            title: item if count == 1 else None
            for item, (title, count) in enumerate(
                zip(titles, map(Counter(titles).__getitem__, titles), strict=True)
            )
        }
        # Several embedded users answer the same prompt: the audience and every null user.
        self._remembered = lru_cache(maxsize=4096)(self._read)
        # A pointwise turn tells one history in each of its prompts.
        self._recalled = lru_cache(maxsize=64)(self._history)
        self._latest: tuple[tuple[Message, ...], Question] | None = None

    def __reduce__(self) -> tuple[type[PromptReader], tuple[tuple[str, ...]]]:
        """What it remembers of texts does not travel to other processes."""
        return type(self), (self._titles,)

    def read(self, messages: tuple[Message, ...]) -> Question:
        """Read the question; a part that is not there is empty. The last questions are remembered."""
        if self._latest is None or self._latest[0] is not messages:
            self._latest = messages, self._remembered(messages)
        return self._latest[1]

    def _read(self, messages: tuple[Message, ...]) -> Question:
        prompt = _Prompt("\n".join(message.content for message in messages))
        text = prompt.text
        begin = prompt.last(_OFFER, len(text))
        ending = prompt.search(_OFFER_END, begin, len(text))
        end = ending.start() if ending else len(text)
        memory = prompt.search(_MEMORY, 0, begin)
        earlier = prompt.search(_EARLIER, memory.end(), begin) if memory else None
        ranking = prompt.search(_RANKING_AS, end, len(text))
        persona = text[: memory.start() if memory else begin]
        candidates, titles = self._candidates(text[begin:end])
        form: Literal["titles", "ids", "json"] = "titles"
        if prompt.search(_IN_JSON, end, len(text)):
            form = "json"
        elif prompt.search(_BY_NUMBER, end, len(text)):
            form = "ids"
        return Question(
            name=_called(ranking, persona),
            persona=persona,
            candidates=candidates,
            titles=titles,
            asked=Asked(
                accept=bool(prompt.search(_ACCEPT, end, len(text))),
                rank=ranking is not None or (form == "json" and '"ranking"' in text[end:]),
                form=form,
            ),
            # Of the last paragraph only: a title in the history may say anything.
            yes_or_no=bool(_YES_OR_NO.search(text, text.rfind("\n\n", 0, begin) + 1)),
            recall=partial(self._recalled, text[memory.end() : earlier.start() if earlier else begin])
            if memory
            else tuple,
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
        if (pieces := _pieces(text)) is not None:
            return tuple(map(self._item, pieces)), pieces
        if (listed := self._verbatim.read(text.strip().rstrip(","))) is not None:
            return tuple(listed), tuple(self._titles[item] for item in listed)
        candidates, titles = [], []
        for mention in self._index.find(text):
            if not mention.credible:
                continue
            candidates.append(mention.positions[0] if len(mention.positions) == 1 else None)
            titles.append(text[mention.start : mention.end])
        return tuple(candidates), tuple(titles)

    def _item(self, text: str) -> int | None:
        """The one item that a piece of a numbered list is the title of, or begins with the title of."""
        if text in self._exact:
            return self._exact[text]
        found = [each for each in self._index.find(text) if each.start == 0 and each.credible]
        return found[0].positions[0] if len(found) == 1 and len(found[0].positions) == 1 else None


def _pieces(text: str) -> tuple[str, ...] | None:
    """The items of a list numbered [1], [2], ...; None of another list."""
    marks = [mark for number, mark in enumerate(_NUMBERED.finditer(text), 1) if mark.group(1) == str(number)]
    if not marks or text[: marks[0].start()].strip(" :\n"):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return tuple(text[mark.end() : end].strip().rstrip(",;") for mark, end in zip(marks, ends, strict=True))


def _called(ranking: re.Match[str] | None, persona: str) -> str | None:
    """The name that the asked phrase wants repeated, else the one the persona is introduced by."""
    if ranking and ranking.group(1):
        return ranking.group(1).strip()
    introduced = _NAME.search(persona)
    return introduced.group(1).strip() if introduced else None
