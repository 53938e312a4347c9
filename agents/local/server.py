"""The llama.cpp server that the package xllamacpp brings, in this process, on a free port of loopback."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agents.llm.types import ClientSetupError

if TYPE_CHECKING:
    from agents.local.weights import Weights

_ENGINE = "xllamacpp"
_INSTALL = "pip install 'screentest[local]' (from a checkout: pip install '.[local]')"
_ERRORS_ONLY = 1


@dataclass(frozen=True)
class ServerSettings:
    """How a server serves; none of it changes what a prompt is answered, as long as prompt and reply fit `context`."""

    context: int
    """Tokens that a prompt and its reply may have together."""
    slots: int
    """Requests that are answered at once; each holds `context` tokens in memory."""
    threads: int
    """That compute. They spin while they wait for each other: more than there are idle cores are far slower than one."""


def check_engine() -> None:
    """Raise ClientSetupError if the engine is not installed; it is not imported."""
    if find_spec(_ENGINE) is None:
        raise ClientSetupError(
            f"users.client local needs the package {_ENGINE}, which is not installed: {_INSTALL}"
        )


class LlamaServer:
    """Serves weights from its construction, which returns when it is ready, until `stop`.

    Blocks meanwhile: a second for a small model, as long as the disk takes for a large one. Raises ClientSetupError if it
    does not come up.
    """

    def __init__(self, weights: Weights, settings: ServerSettings) -> None:
        try:
            import xllamacpp  # noqa: PLC0415 - an extra, and a library of 100 MB
        except ImportError as error:
            raise ClientSetupError(
                f"the package {_ENGINE} cannot be loaded ({error}); install a build for this machine: {_INSTALL}"
            ) from error
        params = xllamacpp.CommonParams()
        params.model.path = str(weights.path)
        params.model_alias = {weights.name}  # else every answer names the path of the file
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.n_ctx, params.n_parallel = settings.context * settings.slots, settings.slots
        for threads in (params.cpuparams, params.cpuparams_batch):
            threads.n_threads = settings.threads
        params.cache_ram_mib = (
            0  # prompts of all users would be kept, up to 8 GB; each slot still reuses its last prefix
        )
        params.ui, params.endpoint_slots, params.cors_origins = False, False, ""
        params.verbosity = _ERRORS_ONLY
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise ClientSetupError(
                f"llama.cpp cannot serve {weights.path} (why is said above). If the file is damaged or of a newer kind, get it "
                f"again or renew the engine ({_INSTALL}); if memory is short, lower users.local.context or users.local.slots"
            ) from error
        self.base_url = f"{self._server.listening_address}/v1"

    def stop(self) -> None:
        """Stop serving and free the memory. Close all clients before: it waits for connections that are open."""
        self._server = None
