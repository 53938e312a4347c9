"""Ray, where a scenario asks for it: whether it can be used, and a cluster for the time of a run."""

from __future__ import annotations

import importlib
import logging
import os
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from simulator.scenario import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.lines import Line
    from simulator.scenario.schema import Engine

_OBJECT_STORE_BYTES = 512 * 2**20
"""Of a cluster that is started here; what does not fit is spilled to disk by Ray."""


def check_engine(engine: Engine, lines: Sequence[Line]) -> None:
    """ScenarioError where calls cannot be made as `engine` says; before anything is trained."""
    if engine.kind == "local":
        return
    if find_spec("ray") is None:
        raise ScenarioError(
            "engine.kind ray needs the package ray, which is not installed: pip install 'screentest[ray]' (from a checkout: "
            "pip install '.[ray]'); or take engine.kind local, which gives the same turns"
        )
    for line in lines:
        if line.users.send == "batch":
            raise ScenarioError(
                "users.send is batch, which sends whole rounds at once and leaves nothing to share among actors: take "
                "engine.kind local, or users.send single"
            )
        if line.users.concurrency < engine.actors:
            raise ScenarioError(
                f"users.concurrency is {line.users.concurrency} and engine.actors {engine.actors}: the calls in flight are shared "
                "among the actors, and each needs one; raise the first or lower the second"
            )


@contextmanager
def connected(engine: Engine) -> Iterator[Any]:
    """The module ray, connected to the cluster at the engine's address, or to one of this machine for the time of the block.

    A process that is connected already stays so. ScenarioError if there is no cluster, or too few processors in it.
    """
    # Read when Ray is imported: no usage is reported, and nothing of a run leaves the cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray: Any = importlib.import_module("ray")
    if ray.is_initialized():
        _check_size(ray, engine)
        yield ray
        return
    try:
        _connect(ray, engine)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = "on this machine" if engine.address is None else f"at {engine.address}"
        raise ScenarioError(
            f"engine.address: no Ray cluster can be reached {where} ({error}); start one with ray start --head and give its "
            "address, leave the address out for one of this machine, or take engine.kind local"
        ) from None
    try:
        _check_size(ray, engine)
        yield ray
    finally:
        ray.shutdown()


def _connect(ray: Any, engine: Engine) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if engine.address is None:
        # "local": RAY_ADDRESS is not looked at, so that the scenario alone says where a run is made.
        ray.init(
            address="local",
            num_cpus=engine.actors,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            # Nobody on the network need reach it: its workers have the keys of this process in their environment.
            _node_ip_address="127.0.0.1",
            **quiet,
        )
    else:
        ray.init(address=engine.address, **quiet)


def _check_size(ray: Any, engine: Engine) -> None:
    has = int(ray.cluster_resources().get("CPU", 0))
    if has < engine.actors:
        raise ScenarioError(
            f"engine.actors is {engine.actors}, and the Ray cluster has {has} processors: each actor takes one; lower engine.actors "
            "or add machines (ray start --address=...)"
        )
