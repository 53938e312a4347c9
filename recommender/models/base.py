"""The small core every recommender shares: three methods, one score."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from dataclasses import Field

    from recommender.data.histories import Histories
    from recommender.features.modality import Modality


class ModelError(ValueError):
    """A model cannot be built, trained or loaded as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Batch:
    """B users at one moment each; `target` is what they took next (training only)."""

    user: Tensor
    """(B,) int64."""
    history: Tensor
    """(B, L) int64 item numbers, newest last, PAD where the history is shorter."""
    profile: Tensor
    """(B, F) int64 labels, one per profile field; 0 means unknown."""
    target: Tensor | None = None
    """(B,) int64."""
    following: Tensor | None = None
    """(B, L) int64, what came after each place of `history`, PAD where the history is: the targets of a model that learns
    whole sequences at once. Its last column is `target`."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        target = None if self.target is None else self.target.to(device)
        following = None if self.following is None else self.following.to(device)
        return Batch(
            self.user.to(device), self.history.to(device), self.profile.to(device), target, following
        )


@dataclass(frozen=True)
class Inputs:
    """What a model may know when it is built: sizes, train interactions and features, nothing held out."""

    users: int
    items: int
    train: Histories
    profile_sizes: tuple[int, ...] = ()
    """Number of labels of each profile field, the unknown label 0 included."""
    text: Modality | None = None
    """What items say, for models that read it."""
    visual: Modality | None = None
    """What items look like, for models that read it."""
    user_ids: tuple[str, ...] = ()
    """What the data call each user, in the order of their numbers, for models that look users up elsewhere; () = unknown."""
    item_ids: tuple[str, ...] = ()
    """The same of items."""

    def require_ids(self, model: str) -> None:
        """ModelError, in the name of `model`, unless every user and every item has an id."""
        if (len(self.user_ids), len(self.item_ids)) != (self.users, self.items):
            raise ModelError(
                f"{model} looks users and items up by their ids, but is given {len(self.user_ids)} of {self.users} user ids "
                f"and {len(self.item_ids)} of {self.items} item ids; fill Inputs.user_ids and Inputs.item_ids"
            )


class Recommender(nn.Module, ABC):
    """Scores item i for user u as max over k of users[u, k] . items[i].

    A model without trainable parameters is complete once built. Every model has a frozen config
    dataclass `Config`, and is built as `Model(config, inputs)`.

    A model whose scores are no inner products overrides `catalogue` and `score`, and raises a ModelError that says so from
    `users` and `items`: it can be trained on, evaluated and put before an audience, but its vectors cannot be exported.
    """

    Config: ClassVar[type[Any]]
    history_length: int | None = 0
    """Newest items of the history the model reads at serving; 0 = none, the user is a learnt id; None = all."""
    learns_sequences: ClassVar[bool] = False
    """True for a model whose loss takes `Batch.following`: an example is then a stretch of a history, not one target."""
    reads_text: ClassVar[bool] = False
    """A model that looks at `Inputs.text` says so; it need not be made for others."""
    reads_visual: ClassVar[bool] = False
    """The same of `Inputs.visual`."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Scalar training loss of a batch with targets."""

    @abstractmethod
    def users(self, batch: Batch) -> Tensor:
        """(B, K, d) vectors of the batch's users, K interests each."""

    @abstractmethod
    def items(self) -> Tensor:
        """(I, d) vectors of the whole catalogue."""

    @property
    def training_length(self) -> int:
        """Items before its target that an example of training brings along; ModelError where serving does not say it."""
        if self.history_length is None:
            raise ModelError(
                f"{type(self).__name__} serves on whole histories, so its training_length must say what it trains on"
            )
        return self.history_length

    def catalogue(self) -> Tensor:
        """What `score` needs of the items, made once for many batches: the item vectors."""
        return self.items()

    def score(self, batch: Batch, catalogue: Tensor) -> Tensor:
        """(B, I) the scores that `users` and `items` define; a model may have a shorter way to the same numbers.

        The tensor is the caller's, who writes into it what is masked.
        """
        return scores(self.users(batch), catalogue)

    @property
    def device(self) -> torch.device:
        """Where the model's parameters or buffers live."""
        tensor = next(iter([*self.parameters(), *self.buffers()]), None)
        return torch.device("cpu") if tensor is None else tensor.device

    @property
    def trainable(self) -> bool:
        """Whether there is anything to train."""
        return any(p.requires_grad for p in self.parameters())


def scores(users: Tensor, items: Tensor) -> Tensor:
    """(B, I) scores from user vectors (B, K, d) and item vectors (I, d): Eq. 1, the best interest counts."""
    batch, interests, width = users.shape
    # Interests first: each one's scores are then one block, to be compared without strides.
    product = users.transpose(0, 1).reshape(interests * batch, width) @ items.T
    return best_interest(product.view(interests, batch, len(items)).transpose(0, 1))


def best_interest(product: Tensor) -> Tensor:
    """(B, n) the largest of the scores (B, K, n) that K interests give; of equal ones the first has the gradient, as with max."""
    if product.shape[1] == 1:
        return product[:, 0]
    best: Tensor = _BestInterest.apply(product)  # type: ignore[no-untyped-call]
    return best


class _BestInterest(torch.autograd.Function):
    """By comparisons that are vectorised: on a CPU torch's max along a middle dimension takes three times as long."""

    @staticmethod
    def forward(ctx: Any, product: Tensor) -> Tensor:
        best = functools.reduce(torch.maximum, product.unbind(1))
        ctx.save_for_backward(product, best)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        product, best = ctx.saved_tensors
        slope = torch.empty_like(product)
        spread_to_best(product.unbind(1), best, gradient, slope.unbind(1))
        return slope


def spread_to_best(
    product: Sequence[Tensor], best: Tensor, gradient: Tensor, slope: Sequence[Tensor]
) -> None:
    """Write the `gradient` (B, n) of the `best` of K scores (B, n) into the K `slope`, which may be the scores themselves."""
    for number, (own, out) in enumerate(zip(product, slope, strict=True), start=1):
        # As 1 and 0 in place of booleans, which neither comparison nor product need convert: a quarter of the time.
        torch.eq(own, best, out=out)
        rest = gradient * (1 - out) if number < len(product) else gradient
        out.mul_(gradient)
        gradient = rest


def configure(config: type[Any], params: Mapping[str, Any], model: str) -> Any:
    """Build a model's config from a scenario's `params`; ModelError names an unknown, missing or ill-typed one.

    A parameter has the type of its default, or one of its field's `metadata["types"]`; one without a default, or with
    None, is the model's own to check.
    """
    known = {field.name: field for field in fields(config)}
    for name, value in params.items():
        if name not in known:
            options = ", ".join(sorted(known)) or "none"
            raise ModelError(f"recommender.params: {model} has no parameter {name!r}; it has: {options}")
        default = _default(known[name])
        if default is MISSING or default is None:
            continue
        expected = known[name].metadata.get("types", (type(default),))
        accepted = (*expected, int) if float in expected else expected
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in expected):
            types = " or ".join(each.__name__ for each in expected)
            raise ModelError(f"recommender.params.{name}: {value!r} is not of type {types}")
    for name, field in known.items():
        if _default(field) is MISSING and name not in params:
            raise ModelError(f"recommender.params: {model} needs the parameter {name!r}")
    return config(**params)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
