from __future__ import annotations

import pytest

from benchmarks.fanout import NAMES, measured


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_case_is_measured_in_processes_of_its_own(name):
    case = measured(name, latency_ms=20, calls=60, concurrency=30)
    assert case["ratio"] >= 1  # nobody is faster than the server
    assert case["cpu_ms_per_call"] > 0
    assert case["peak_mib"] > 10
