"""Weights on disk, and checkpoints from which training goes on to the same result."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recommender.models import ModelError
from recommender.trained_directory import whole_file
from recommender.training.config import TrainingLog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from recommender.data.dataset import Interactions
    from recommender.data.histories import Histories
    from recommender.models import Recommender
    from recommender.training.config import TrainingConfig


def save(model: Recommender, path: Path) -> None:
    """Write the weights; `load` reads them back without running any code from the file."""
    _write(model.state_dict(), path)


def load(model: Recommender, path: Path) -> None:
    """Put saved weights into a model built with the same config and inputs.

    Raises ModelError for a file that is missing, that is not a weights file, or whose weights do not fit.
    """
    weights = _read(path, "weights")
    try:
        model.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise ModelError(f"{path}: these weights do not fit the model: {why}") from error


@dataclass(frozen=True)
class Checkpoint:
    """Training after some epoch, complete: what follows is what would have followed."""

    fingerprint: str
    """Of config, model and data; see `fingerprint`."""
    model: dict[str, Tensor]
    best: dict[str, Tensor]
    """The weights of the best epoch so far."""
    optimiser: dict[str, Any]
    log: dict[str, Any]
    shuffle: Tensor
    """State of the generator of the order of examples."""
    generators: list[Tensor]
    """States of torch's global generator, one for each rank: the CPU's and, behind it, the GPU's where the model is there."""

    def write(self, path: Path) -> None:
        """Whole or not at all: a process that is killed meanwhile leaves the checkpoint before."""
        _write({name: getattr(self, name) for name in self.__dataclass_fields__}, path)

    @classmethod
    def read(cls, path: Path, expected: str, ranks: int) -> Checkpoint:
        """ModelError for a file that cannot be read, or that is of another training or another number of ranks."""
        values = _read(path, "checkpoint")
        try:
            found = cls(**values)
        except TypeError as error:
            raise ModelError(f"{path}: not a checkpoint of training: {error}") from error
        if found.fingerprint != expected:
            raise ModelError(
                f"{path}: this checkpoint is of another training: options, model, features or data differ; "
                "repeat those it was begun with, or remove it to begin anew"
            )
        if len(found.generators) != ranks:
            raise ModelError(
                f"{path}: this training was begun by {len(found.generators)} ranks, not {ranks}; "
                "start as many, or remove it to begin anew"
            )
        return found

    def restored_log(self) -> TrainingLog:
        """The log so far."""
        return TrainingLog.from_dict(self.log)


def fingerprint(
    model: Recommender, history: Histories, profile: Tensor, validation: Interactions, config: TrainingConfig
) -> str:
    """Hash of all that a training is a function of, besides the libraries: options, model, features and data.

    What a model says of itself are its class, its `config` and the names, shapes and, for buffers, values of its tensors.
    """
    digest = hashlib.sha256()
    options = getattr(model, "config", None)
    digest.update(repr((sorted(asdict(config).items()), type(model).__qualname__, options)).encode())
    digest.update(repr([(name, tuple(value.shape)) for name, value in model.named_parameters()]).encode())
    tensors: Iterable[tuple[str, Tensor]] = [
        *model.named_buffers(),
        ("train start", history.start),
        ("train item", history.item),
        ("profile", profile),
        ("validation user", torch.from_numpy(validation.user)),
        ("validation item", torch.from_numpy(validation.item)),
    ]
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def generator_state(device: torch.device) -> Tensor:
    """State of torch's global generators that training on `device` draws from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def restore_generator(state: Tensor, device: torch.device) -> None:
    """The reverse of `generator_state`; a GPU's generator stays as it is where training was begun without one."""
    size = len(torch.get_rng_state())
    torch.set_rng_state(state[:size])
    if device.type == "cuda" and len(state) > size:
        torch.cuda.set_rng_state(state[size:], device)


def _write(value: dict[str, Any], path: Path) -> None:
    with whole_file(path) as file:
        torch.save(value, file)


def _read(path: Path, what: str) -> Any:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ModelError(f"{path}: the {what} cannot be read ({error.strerror})") from error
    with file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        # A file that is cut short looks like a seek that fails.
        except (pickle.UnpicklingError, EOFError, RuntimeError, KeyError, OSError) as error:
            raise ModelError(f"{path}: not a file of {what}: {error}") from error
