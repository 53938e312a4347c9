"""Features of pictures: files through a pretrained network, with what could not be read and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from recommender.data.dataset import DataError
from recommender.features.encoded import Encoder, encode_each
from recommender.features.modality import Modality
from recommender.features.pictures import read_picture_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor


class UnreadablePicture(NamedTuple):
    """An item whose picture counts as missing."""

    item: int
    path: Path
    reason: str


@dataclass(frozen=True)
class ImageFeatures:
    """The pictures of a catalogue, and the files that are none."""

    modality: Modality
    unreadable: tuple[UnreadablePicture, ...]
    """Items that name a picture which cannot be used; items that name none are missing without a complaint."""

    @property
    def reasons(self) -> Counter[str]:
        """How often each reason occurs."""
        return Counter(each.reason for each in self.unreadable)


def encode_images(
    pictures: Sequence[str | Path | None],
    encoder: Encoder[Tensor],
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> ImageFeatures:
    """Features of one picture file an item, None for an item without; a picture whose bytes are known is not encoded again.

    `progress` is told (items done, of items). DataError for a URL: a picture is fetched before it is looked at.
    """
    for item, picture in enumerate(pictures):
        if isinstance(picture, str) and picture.startswith(("http://", "https://")):
            raise DataError(f"item {item}: {picture} is not a file; download the pictures first")
    paths = [None if picture is None else Path(picture) for picture in pictures]

    def read(item: int) -> bytes | None:
        path = paths[item]
        return None if path is None else read_picture_file(path)

    found = encode_each(encoder, len(paths), read, batch_size, progress)
    return ImageFeatures(
        Modality.of("visual", found.vectors, found.present),
        tuple(
            UnreadablePicture(item, path, reason)
            for item, reason in found.unreadable.items()
            if (path := paths[item]) is not None
        ),
    )
