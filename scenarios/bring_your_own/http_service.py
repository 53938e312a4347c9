"""A service that ranks, over HTTP: whatever it is written in, and wherever it runs.

Asked is `POST url` with `{"users": [{"user_id": "u1", "history": ["i3", "i7"]}, ...], "k": null}`, histories oldest first; k null
asks for the scores of all items, a number for those of so many. The answer is `{"users": [{"user_id": "u1", "items": ["i5", ...],
"scores": [0.7, ...]}, ...]}`, the users in the order asked, the items in any; a higher score is better.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import torch
from tenacity import Retrying, retry_if_exception, stop_after_attempt
from torch import Tensor
from torch.nn import functional

from recommender.data.download.retrying import (
    PASSING_STATUS,
    PassingError,
    Patience,
    retry_after,
    user_agent,
)
from recommender.data.histories import PAD
from recommender.models import Batch, Inputs, ModelError, Recommender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_QUOTED = 200
"""Characters of an answer that an error repeats."""
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class HTTPServiceConfig:
    """Where the service is, and how long it is waited for."""

    url: str
    """What is posted to, such as http://127.0.0.1:8900/rank."""
    k: int | None = None
    """Items that the service scores for a user; the others are never proposed. None = all of them. It should be at least the
    longest history, which is masked here whatever the service leaves out, and 50 or 2N, whichever is more, besides."""
    history: int | None = None
    """Newest items of the history that are sent; None = all."""
    batch: int = 64
    """Users of one request."""
    timeout: float = 10.0
    """Seconds for one whole answer."""
    attempts: int = 4
    """Times that a request is made at most, where there is no answer or one that may pass (429, 503, ...)."""
    first_wait: float = 0.5
    """Seconds before the second attempt, doubled from there on; a server's own Retry-After, up to a minute, goes before."""
    token_env: str = ""
    """The environment variable that holds a bearer token; "" sends none. The token is written nowhere."""


class HTTPService(Recommender):
    """Scores are asked for, of the history of the moment. There are no vectors, and nothing is kept from one answer to the next."""

    Config = HTTPServiceConfig

    def __init__(self, config: HTTPServiceConfig, inputs: Inputs) -> None:
        super().__init__()
        inputs.require_ids("HTTPService")
        self.config = _checked(config)
        self.history_length = config.history
        self._users, self._items = inputs.user_ids, inputs.item_ids
        self._place = {item: place for place, item in enumerate(self._items)}

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the targets under a softmax of the scores (nothing to train); infinite for a target outside of the k."""
        assert batch.target is not None
        return functional.cross_entropy(self.score(batch, self.catalogue()), batch.target)

    def users(self, batch: Batch) -> Tensor:
        """ModelError: there are none."""
        raise ModelError(self._no_vectors())

    def items(self) -> Tensor:
        """ModelError: there are none."""
        raise ModelError(self._no_vectors())

    def catalogue(self) -> Tensor:
        """Nothing: the service knows its items."""
        return torch.empty(0)

    def score(self, batch: Batch, catalogue: Tensor) -> Tensor:
        """(B, I) as the service says, -inf for items outside of its k. ModelError where it does not answer, or answers wrongly."""
        asked = [
            {"user_id": self._users[user], "history": [self._items[item] for item in history if item != PAD]}
            for user, history in zip(batch.user.tolist(), batch.history.tolist(), strict=True)
        ]
        table = np.full((len(asked), len(self._items)), -np.inf, dtype=np.float32)
        with httpx2.Client(headers=self._headers(), timeout=self.config.timeout) as http:
            for first in range(0, len(asked), self.config.batch):
                some = asked[first : first + self.config.batch]
                self._fill(
                    table[first : first + len(some)],
                    [each["user_id"] for each in some],
                    self._post(http, some),
                )
        return torch.from_numpy(table).to(batch.user.device)

    def _post(self, http: httpx2.Client, users: Sequence[dict[str, Any]]) -> object:
        """The answer's JSON; what may pass is asked again, up to `attempts` times."""
        patience = Patience(self.config.attempts, self.config.first_wait)
        retrying = Retrying(
            stop=stop_after_attempt(patience.attempts),
            wait=patience.wait,
            retry=retry_if_exception(patience.bears),
            reraise=True,
        )
        try:
            body: bytes = retrying(self._attempt, http, {"users": users, "k": self.config.k})
        except PassingError as error:
            made = retrying.statistics["attempt_number"]
            raise self._wrong(
                f"{error.reason} (attempts: {made}); start the service, or give it more recommender.params.timeout or attempts"
            ) from error
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"answers what is no JSON ({error}): {self._quoted(body)}") from error

    def _attempt(self, http: httpx2.Client, question: dict[str, Any]) -> bytes:
        deadline = time.monotonic() + self.config.timeout
        try:
            with http.stream("POST", self.config.url, json=question) as response:
                pieces = []
                for piece in response.iter_bytes():
                    pieces.append(piece)
                    if time.monotonic() > deadline:
                        raise PassingError(f"is not done answering after {self.config.timeout:g} s")
        except httpx2.TimeoutException as error:
            raise PassingError(f"does not answer within {self.config.timeout:g} s") from error
        except httpx2.RequestError as error:
            raise PassingError(
                f"cannot be reached, or breaks off ({str(error) or type(error).__name__})"
            ) from error
        body = b"".join(pieces)
        if response.status_code in PASSING_STATUS:
            raise PassingError(
                f"answers with status {response.status_code}: {self._quoted(body)}",
                retry_after(response.headers),
            )
        if response.status_code != httpx2.codes.OK:
            raise self._wrong(f"answers with status {response.status_code}: {self._quoted(body)}")
        return body

    def _fill(self, table: NDArray[np.float32], users: Sequence[str], answer: object) -> None:
        """Write the scores of an answer into the rows of its users; ModelError names the first thing that is wrong."""
        said = answer.get("users") if isinstance(answer, dict) else None
        if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
            raise self._wrong('answers JSON without a list of objects under the key "users"')
        found = [each.get("user_id") for each in said]
        if found != list(users):
            raise self._wrong(
                f"was asked about {len(users)} users ({users[0]!r}, ...) and answers about {len(found)} ({found[:1]}, ...); "
                "they should be the same, in the same order"
            )
        for row, user, each in zip(table, users, said, strict=True):
            places, scores = self._scored(user, each.get("items"), each.get("scores"))
            row[places] = scores

    def _scored(self, user: str, items: object, scores: object) -> tuple[list[int], NDArray[np.float32]]:
        whose = f"for user {user!r} answers"
        if not (isinstance(items, list) and isinstance(scores, list) and len(items) == len(scores)):
            raise self._wrong(f"{whose} no lists of equal length under the keys items and scores")
        wanted = len(self._items) if self.config.k is None else min(self.config.k, len(self._items))
        if len(items) != wanted:
            which = "all of the catalogue (recommender.params.k is null)" if self.config.k is None else "k"
            raise self._wrong(f"{whose} {len(items)} scores, asked for were {wanted}, {which}")
        unknown = next((item for item in items if type(item) is not str or item not in self._place), None)
        if unknown is not None:
            raise self._wrong(f"{whose} an item {unknown!r}, which is no id of the data")
        places = [self._place[item] for item in items]
        if len(set(places)) < len(places):
            twice = next(item for number, item in enumerate(items) if item in items[:number])
            raise self._wrong(f"{whose} the item {twice!r} twice")
        # Compared and not converted: NaN fails every comparison, and an integer of JSON may be larger than any float.
        if not all(type(score) in {int, float} and -_LARGEST <= score <= _LARGEST for score in scores):
            raise self._wrong(f"{whose} scores that are not finite numbers of 32 bits")
        return places, np.array(scores, dtype=np.float32)

    def _headers(self) -> dict[str, str]:
        name = {"User-Agent": user_agent()}
        return name | {"Authorization": f"Bearer {self._token()}"} if self.config.token_env else name

    def _token(self) -> str:
        token = os.environ.get(self.config.token_env, "")
        if not (token and token.isascii() and token.isprintable()):
            raise ModelError(
                f"recommender.params.token_env: the environment variable {self.config.token_env} is not set, or holds no token"
            )
        return token

    def _quoted(self, body: bytes) -> str:
        said = " ".join(body.decode(errors="replace").split()) or "nothing"
        if self.config.token_env:
            said = said.replace(self._token(), "***")
        return said if len(said) <= _QUOTED else f"{said[:_QUOTED]}..."

    def _wrong(self, what: str) -> ModelError:
        return ModelError(f"the recommender's service {self.config.url} {what}")

    def _no_vectors(self) -> str:
        return (
            f"the service {self.config.url} gives scores and no vectors of users and items, so there are none to export; its "
            "rankings can be (python -m recommender.export --trec)"
        )


def _checked(config: HTTPServiceConfig) -> HTTPServiceConfig:
    try:
        url = httpx2.URL(config.url)
    except httpx2.InvalidURL as error:
        raise ModelError(f"recommender.params.url: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise ModelError(
            "recommender.params.url: should be http://HOST:PORT/PATH, or https, without a name or password, which belongs into "
            "the variable that recommender.params.token_env names"
        )
    for name in ("k", "history", "batch", "attempts"):
        value = getattr(config, name)
        if value is not None and (type(value) is not int or value < 1):
            raise ModelError(f"recommender.params.{name}: {value!r} is not a whole number of at least 1")
    if not (config.timeout > 0 and config.first_wait >= 0):
        raise ModelError("recommender.params: timeout should be above 0 and first_wait not below")
    return config
