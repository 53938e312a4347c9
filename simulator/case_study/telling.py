"""One user of a case study, from its turn, its calls and what the recommender makes of it."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from simulator.case_study.cases import Candidate, Case, HistoryItem, Interest, Judged, Said
from simulator.transcript.turns import TranscriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from recommender.insight import Insight
    from simulator.transcript.journal import CallJournal
    from simulator.transcript.turns import Turn

_MOST_GENRES = 2
"""In the name of an interest."""


class Catalogue:
    """Titles, genres and vectors of the items."""

    def __init__(self, items: pd.DataFrame, vectors: NDArray[np.float32]) -> None:
        """`items` is the table of the data, `vectors` (I, d) its rows as the recommender exports them."""
        self.ids: list[str] = items["item_id"].tolist()
        self.titles: list[str] = items["title"].tolist()
        self.genres: list[tuple[str, ...]] = [tuple(genres) for genres in items["genres"]]
        self.vectors = vectors

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row by item id."""
        return {item: row for row, item in enumerate(self.ids)}


def case_of(
    turn: Turn, insight: Insight, profile: Mapping[str, str], catalogue: Catalogue, journal: CallJournal
) -> Case:
    """The user of a turn; TranscriptError if a proposed item is not in the data."""
    history = _history(insight, catalogue)
    return Case(
        user_id=turn.user_id,
        profile=profile,
        interests=_interests(insight, history, tuple(profile)),
        history=history,
        candidates=_candidates(turn, insight, catalogue),
        status=turn.status,
        fallback=turn.fallback,
        dialogue=tuple(_said(key, journal) for key in turn.requests),
    )


def _history(insight: Insight, catalogue: Catalogue) -> tuple[HistoryItem, ...]:
    return tuple(
        HistoryItem(
            item_id=catalogue.ids[item],
            title=catalogue.titles[item],
            genres=catalogue.genres[item],
            attention=float(attention),
            routing=tuple(map(float, shares)),
            interest=int(shares.argmax()) + 1,
        )
        for item, attention, shares in zip(
            insight.history.tolist(), insight.attention, insight.routing, strict=True
        )
    )


def _interests(
    insight: Insight, history: Sequence[HistoryItem], fields: Sequence[str]
) -> tuple[Interest, ...]:
    every = [item.genres for item in history]
    return tuple(
        Interest(
            number,
            marked_genres([item.genres for item in history if item.interest == number], every),
            dict(zip(fields, map(float, weights), strict=True)),
        )
        for number, weights in enumerate(insight.weights, start=1)
    )


def marked_genres(own: Sequence[Iterable[str]], every: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """The genres that `own` items have more often than `every` one, by the difference of the shares, at most two.

    Of items that are all there are, those that they have most often. Of equals the first by the alphabet.
    """
    if not own:
        return ()
    mine, all_of_them = _shares(own), _shares(every)
    marked = mine if len(own) == len(every) else {name: mine[name] - all_of_them[name] for name in mine}
    ordered = sorted((name for name in marked if marked[name] > 0), key=lambda name: (-marked[name], name))
    return tuple(ordered[:_MOST_GENRES])


def _shares(genres: Sequence[Iterable[str]]) -> dict[str, float]:
    counts = Counter(name for each in genres for name in set(each))
    return {name: count / len(genres) for name, count in counts.items()}


def _candidates(turn: Turn, insight: Insight, catalogue: Catalogue) -> tuple[Candidate, ...]:
    try:
        rows = [catalogue.rows[item] for item in turn.slate]
    except KeyError as error:
        raise TranscriptError(
            f"user {turn.user_id!r} was proposed {error}, an item that the data do not have"
        ) from None
    after = {item: place for place, item in enumerate(turn.final, start=1)}
    judged = {
        **dict.fromkeys(turn.slate, "undecided"),
        **dict.fromkeys(turn.accepted, "accepted"),
        **dict.fromkeys(turn.rejected, "rejected"),
    }
    return tuple(
        Candidate(
            item_id=item,
            title=catalogue.titles[row],
            genres=catalogue.genres[row],
            likes=tuple(map(float, likes)),
            interest=int(np.argmax(likes)) + 1,
            score=score,
            before=before,
            after=after.get(item),
            judged=cast("Judged", judged[item]),
            held_out=item in turn.targets,
            planted=item == turn.planted,
        )
        for before, (item, row, likes, score) in enumerate(
            zip(turn.slate, rows, insight.likes(catalogue.vectors[rows]), turn.scores, strict=True), start=1
        )
    )


def _said(key: str, journal: CallJournal) -> Said:
    record = journal.get(key)
    if record is None:
        return Said((), None, "this call is not in the journal")
    messages = tuple((message.role, message.content) for message in record.request.messages)
    return Said(messages, None if record.completion is None else record.completion.text, record.error)
