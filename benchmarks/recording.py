"""How every benchmark ends: the full result in benchmarks/results, its fields on the last line of standard output."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from simulator.transcript.manifest import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESULTS = Path(__file__).parent / "results"


def read_result(name: str) -> dict[str, Any] | None:
    """What `record` wrote as `fields`; None if there is no such result."""
    file = _RESULTS / f"{name}.json"
    if not file.exists():
        return None
    fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["result"]
    return fields


def record(name: str, fields: Mapping[str, Any], command: str) -> None:
    """Write benchmarks/results/NAME.json with machine, versions and date, and print `fields` as one line of JSON."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    full = {"command": command, "date": date, "machine": machine, **environment(), "result": fields}
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{name}.json").write_text(json.dumps(full, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(fields))
