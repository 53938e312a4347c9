"""What public tables say of a place and of an occupation: the external knowledge k_ext of Eq. 2."""

from recommender.features.economy.places import State, find_state
from recommender.features.economy.status import economic_scores
from recommender.features.economy.wages import find_wage

__all__ = ["State", "economic_scores", "find_state", "find_wage"]
