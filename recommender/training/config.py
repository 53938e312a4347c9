"""What training is told and what it tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from recommender.models import ModelError


@dataclass(frozen=True)
class TrainingConfig:
    """Options of the training loop. Raises ModelError for one that makes no sense."""

    max_epochs: int = 50
    patience: int = 3
    """Epochs without a better validation NDCG@10 before training stops."""
    batch_size: int = 1024
    """Examples a step, all ranks together."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW): the lambda of Eq. 13."""
    seed: int = 0
    evaluate_every: int = 1
    """Epochs between validations; the last epoch has one always."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises from zero."""
    schedule: Literal["constant", "cosine"] = "constant"
    """After the warm-up: cosine falls to zero at the end of `max_epochs`."""
    clip_norm: float | None = None
    """The gradient of a step is scaled down to this length where it is longer."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 runs the loss under torch.autocast; weights, optimiser and evaluation stay fp32."""
    compile: bool = False
    """Run the loss through torch.compile; where that fails training goes on without it and the log says so."""

    def __post_init__(self) -> None:
        wrong = [
            name
            for name in ("max_epochs", "patience", "batch_size", "evaluate_every")
            if getattr(self, name) < 1
        ]
        if wrong:
            raise ModelError(f"recommender.training: {', '.join(wrong)} should be at least 1")
        if self.learning_rate <= 0 or self.warmup_steps < 0 or self.weight_decay < 0:
            raise ModelError(
                "recommender.training: learning_rate should be above 0, warmup_steps and weight_decay not below"
            )
        if self.clip_norm is not None and self.clip_norm <= 0:
            raise ModelError("recommender.training: clip_norm should be above 0, or left out")


@dataclass(frozen=True)
class Epoch:
    """One pass over the examples."""

    number: int
    loss: float
    """Mean over the steps."""
    ndcg: float | None
    """Validation NDCG@10 after the epoch; None where `evaluate_every` passes it over."""
    seconds: float


@dataclass
class TrainingLog:
    """What happened in training; `best` is the number of the epoch whose weights were kept."""

    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    ndcg: float = 0.0
    """Validation NDCG@10 of the weights that were kept."""
    execution: str = "eager"
    """How the loss ran: eager, compiled, or eager with the reason why compiling failed."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingLog:
        """The reverse of `as_dict`."""
        return cls(**{**values, "epochs": [Epoch(**epoch) for epoch in values["epochs"]]})
