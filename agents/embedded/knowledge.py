"""What the embedded stand-in knows of the items: fitted on users disjoint from those it plays."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import normalize

from agents.randomness import keyed_generator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

COMPONENTS = ("co_rating", "quality", "content", "persona")
_OF_HISTORY = [COMPONENTS.index("co_rating"), COMPONENTS.index("content")]
MOST_ITEMS = 20_000
"""Beyond it the dense item x item table passes 1.6 GB."""
_HALF_LIVES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Tried at calibration: places in the history over which an item's say halves."""
_WINDOW = 10
"""Places between two items of one user up to which they count as rated together."""
_SHRINKAGE = 20.0
"""Co-raters added to a pair's support, so that chance meetings of rare items count little."""
_DAMPING = 20.0
"""Ratings of average quality added to each item's mean."""
_TRAIT_DAMPING = 50.0
"""Interactions of the average taste added to each item and trait."""
_LIKED = 3.0
"""A rating that says neither yes nor no."""
_CALIBRATION_USERS = 400


@dataclass(frozen=True)
class Ratings:
    """Columns of equal length, sorted by user, then time; users are 0..U-1, items catalogue numbers."""

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    rating: NDArray[np.float64]
    """NaN where there is none."""


@dataclass(frozen=True)
class Memory:
    """A history as read from a prompt, oldest first; an unknown rating is NaN."""

    item: NDArray[np.int64]
    rating: NDArray[np.float64]

    def weights(self, half_life: float) -> NDArray[np.float64]:
        """How much each entry says: less with each place of age, against the item if the rating is low."""
        age = np.arange(len(self.item))[::-1]
        liking = np.where(np.isnan(self.rating), 1.0, (self.rating - _LIKED) / 2 + 0.5)
        weight: NDArray[np.float64] = np.exp2(-age / half_life) * liking
        return weight


class ItemKnowledge:
    """Item tables, and the utility weights fitted on them.

    Utility of a candidate = weights . (co-rating with the history, damped mean rating, likeness of genres and text to
    the history, taste of people with the persona's traits) + intercept. The weights are those of a logistic
    regression that tells the next item of a user from an unseen one of like popularity; fitted on users whose
    ratings did not enter the tables, after which the tables are made again from all. The half-life of the history is
    chosen by the likelihood of the same regression.
    """

    def __init__(
        self,
        titles: Sequence[str],
        genres: Sequence[Sequence[str]],
        descriptions: Sequence[str],
        ratings: Ratings,
        traits: Sequence[Sequence[str]],
        seed: int,
    ) -> None:
        """`traits` holds each user's words as a persona would tell them ("female", "25-34", "lawyer")."""
        if len(titles) > MOST_ITEMS:
            raise ValueError(
                f"the stand-in keeps an item x item table and takes at most {MOST_ITEMS} items, not {len(titles)}; "
                "raise data.core or use another users.client"
            )
        if not len(ratings.user):
            raise ValueError(
                "no users are left to fit the stand-in on: it learns from users it does not play; lower users.count"
            )
        self.titles = tuple(titles)
        # Words of a prompt are compared without case.
        self.genres = tuple(tuple(genre.lower() for genre in row) for row in genres)
        self._genre_pattern = _any_of(genre for row in self.genres for genre in row)
        self._trait_pattern = _any_of(trait for row in traits for trait in row)
        self._documents = _documents(genres, descriptions)
        self._traits = [tuple(trait.lower() for trait in row) for row in traits]
        self.half_life = _HALF_LIVES[0]
        users = len(traits)
        generator = keyed_generator(seed, "stand-in calibration")
        fitted_on = np.zeros(users, dtype=bool)
        fitted_on[generator.permutation(users)[: users // 2]] = True
        self._fit_tables(ratings, fitted_on)
        self.half_life, self.weights, self.intercept = self._calibrate(
            ratings, np.flatnonzero(~fitted_on), generator
        )
        self._fit_tables(ratings, np.ones(users, dtype=bool))

    @property
    def fingerprint(self) -> str:
        """Hash of all it knows: part of the identity of every answer."""
        digest = hashlib.sha256(
            repr((self.titles, self.genres, sorted(self._lift), self.half_life, self.intercept)).encode()
        )
        documents = (self._documents.data, self._documents.indices, self._documents.indptr)
        lifts = (self._lift[trait] for trait in sorted(self._lift))
        for table in (self._similarity, self._quality, *documents, self.weights, *lifts):
            digest.update(np.ascontiguousarray(table).tobytes())
        return digest.hexdigest()[:16]

    def components(self, memory: Memory, persona: str, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
        """(len(candidates), 4) in the order of COMPONENTS."""
        result = np.zeros((len(candidates), len(COMPONENTS)))
        result[:, 1] = self._quality[candidates]
        result[:, 3] = self._persona(persona, candidates)
        result[:, _OF_HISTORY] = self._likeness(memory, candidates, self.half_life)
        return result

    def nearest(self, memory: Memory, candidate: int) -> int | None:
        """The history item that speaks most for a candidate, if any does."""
        if not len(memory.item):
            return None
        support = memory.weights(self.half_life) * self._similarity[memory.item, candidate]
        best = int(support.argmax())
        return int(memory.item[best]) if support[best] > 0 else None

    def _likeness(
        self, memory: Memory, candidates: NDArray[np.int64], half_life: float
    ) -> NDArray[np.float64]:
        """(len(candidates), 2): co-rating with the history, and likeness of genres and text to it."""
        result = np.zeros((len(candidates), 2))
        if len(memory.item):
            weight = memory.weights(half_life)
            result[:, 0] = weight @ self._similarity[np.ix_(memory.item, candidates)]
            taste = sparse.csr_matrix(weight) @ self._documents[memory.item]
            length = np.sqrt(taste.multiply(taste).sum())
            if length > 0:
                result[:, 1] = (self._documents[candidates] @ taste.T).toarray()[:, 0] / length
        return result

    def _fit_tables(self, ratings: Ratings, users: NDArray[np.bool_]) -> None:
        chosen = users[ratings.user]
        user, item, rating = ratings.user[chosen], ratings.item[chosen], ratings.rating[chosen]
        shape = (len(users), len(self.titles))
        count = np.bincount(item, minlength=shape[1]).astype(np.float64)
        together = np.zeros((shape[1], shape[1]))
        for lag in range(1, _WINDOW + 1):
            same = user[lag:] == user[:-lag]
            np.add.at(together, (item[:-lag][same], item[lag:][same]), 1.0)
        together += together.T
        np.fill_diagonal(together, 0)
        norm = np.sqrt(np.maximum(np.outer(count, count), 1))
        self._similarity = (together / norm * (together / (together + _SHRINKAGE))).astype(np.float32)
        self._quality = _damped_means(item, rating, shape[1])
        self._lift = self._trait_lifts(user, item, count)

    def _trait_lifts(
        self, user: NDArray[np.int64], item: NDArray[np.int64], count: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """For each trait: log of how much more often its people took each item than all did."""
        lifts = {}
        overall = (count + 1) / (count.sum() + len(count))
        for trait in sorted({trait for row in self._traits for trait in row}):
            has = np.array([trait in row for row in self._traits])
            own = np.bincount(item[has[user]], minlength=len(count))
            share = (own + _TRAIT_DAMPING * overall * len(count) / 10) / (
                own.sum() + _TRAIT_DAMPING * len(count) / 10
            )
            lifts[trait] = np.log(share / overall)
        return lifts

    def _persona(self, persona: str, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
        """Taste of people like the persona, and candidates of a genre that it says it loves."""
        score = np.zeros(len(candidates))
        for trait in self._told(persona, self._trait_pattern):
            score += self._lift[trait][candidates]
        loved = self._told(persona, self._genre_pattern)
        if loved:
            score += [
                len(set(loved).intersection(self.genres[item])) / max(len(self.genres[item]), 1)
                for item in candidates
            ]
        return score

    @staticmethod
    def _told(persona: str, pattern: re.Pattern[str]) -> list[str]:
        # Sorted: the order of a set differs between processes, and with it the last digits of a sum.
        return sorted({match.group().lower() for match in pattern.finditer(persona)})

    def _calibrate(
        self, ratings: Ratings, users: NDArray[np.int64], generator: np.random.Generator
    ) -> tuple[float, NDArray[np.float64], float]:
        """Half-life, weights >= 0 and intercept, from each user's newest items against unseen ones of like popularity."""
        start = np.searchsorted(ratings.user, np.arange(len(self._traits) + 1))
        # Popularity among these users, not in the tables: counts that chance raised there raise co-rating as well.
        count = np.bincount(ratings.item[np.isin(ratings.user, users)], minlength=len(self.titles))
        share = count / count.sum()
        cases = []
        for user in users[:_CALIBRATION_USERS]:
            own = slice(start[user], start[user + 1])
            item, rating = ratings.item[own], ratings.rating[own]
            held = max(1, len(item) // 10)
            if len(item) <= held:
                continue
            unseen = generator.choice(len(share), size=4 * held, p=share)
            unseen = unseen[~np.isin(unseen, item)][:held]
            candidates = np.concatenate([item[-held:], unseen])
            memory = Memory(item[:-held], rating[:-held])
            cases.append(
                (memory, " ".join(self._traits[user]), candidates, np.arange(len(candidates)) < held)
            )
        if not cases:
            raise ValueError("too few users are left to calibrate the stand-in on; lower users.count")
        label = np.concatenate([case[3] for case in cases])
        features = np.concatenate([self.components(*case[:3]) for case in cases])
        fits = []
        for half_life in _HALF_LIVES:
            features[:, _OF_HISTORY] = np.concatenate(
                [self._likeness(memory, candidates, half_life) for memory, _, candidates, _ in cases]
            )
            scale = np.maximum(features.std(axis=0), 1e-9)
            model = LogisticRegression(class_weight="balanced").fit(features / scale, label)
            likelihood = -log_loss(label, model.predict_proba(features / scale))
            # A component that does not help is left out rather than counted against.
            weights = np.maximum(model.coef_[0], 0) / scale
            fits.append((likelihood, half_life, weights, -float(np.median(features @ weights))))
        _, half_life, weights, intercept = max(fits, key=lambda fit: fit[0])
        return half_life, weights, intercept


def _documents(genres: Sequence[Sequence[str]], descriptions: Sequence[str]) -> sparse.csr_matrix:
    texts = [
        " ".join([*(f"genre_{re.sub(r'[^A-Za-z]', '', genre)}" for genre in row), text])
        for row, text in zip(genres, descriptions, strict=True)
    ]
    return normalize(TfidfVectorizer(stop_words="english").fit_transform(texts)).tocsr()


def _damped_means(item: NDArray[np.int64], rating: NDArray[np.float64], items: int) -> NDArray[np.float64]:
    """(items,) mean rating of each item less the mean of all, damped; 0 for an item, or data, without ratings."""
    rated = ~np.isnan(rating)
    if not rated.any():
        return np.zeros(items)
    item, rating = item[rated], rating[rated]
    total = np.bincount(item, rating - rating.mean(), minlength=items)
    return total / (np.bincount(item, minlength=items) + _DAMPING)


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """Any of the phrases as whole words, the longest first."""
    longest_first = sorted(
        {phrase for phrase in phrases if phrase}, key=lambda phrase: (-len(phrase), phrase)
    )
    alternatives = "|".join(map(re.escape, longest_first)) or r"(?!)"
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)
