"""Screentest as a Gymnasium environment: `import simulator.environment`, then `gymnasium.make("Screentest-v0", scenario=...)`."""

from __future__ import annotations

try:
    import gymnasium
except ImportError as error:
    raise ImportError(
        f"the environment needs gymnasium, which cannot be imported ({error}); install it with: pip install 'screentest[gym]'"
    ) from error

from simulator.environment.play import PlayOptions
from simulator.environment.policies import Policy, RandomPolicy, RecommenderPolicy
from simulator.environment.single import ScreentestEnv
from simulator.environment.slates import ActionError
from simulator.environment.vector import ScreentestVectorEnv

__all__ = [
    "ActionError",
    "PlayOptions",
    "Policy",
    "RandomPolicy",
    "RecommenderPolicy",
    "ScreentestEnv",
    "ScreentestVectorEnv",
]

gymnasium.register(
    "Screentest-v0",
    entry_point="simulator.environment.single:ScreentestEnv",
    vector_entry_point="simulator.environment.vector:ScreentestVectorEnv",
)
