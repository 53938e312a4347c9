"""Data sets and pictures from their publishers: terms first, whole or not at all, and no faster than is polite."""

from recommender.data.download.images import ImageReport, Manners, fetch_images
from recommender.data.download.obtaining import is_there, obtain
from recommender.data.download.sources import CATALOGUE, KNOWN, RemoteFile, Source, find

__all__ = [
    "CATALOGUE",
    "KNOWN",
    "ImageReport",
    "Manners",
    "RemoteFile",
    "Source",
    "fetch_images",
    "find",
    "is_there",
    "obtain",
]
