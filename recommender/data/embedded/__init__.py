"""A small generated audience under the project's own licence, with a known ground truth. Always synthetic."""

from recommender.data.embedded.generator import EmbeddedAudience, generate
from recommender.data.embedded.poster import draw_poster, poster, write_posters
from recommender.data.embedded.truth import GroundTruth

__all__ = ["EmbeddedAudience", "GroundTruth", "draw_poster", "generate", "poster", "write_posters"]
