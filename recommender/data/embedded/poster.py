"""Posters drawn by rule: the visual style of an item, and nothing else of it, shows in palette and shapes."""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageDraw

from recommender.data.embedded.streams import Purpose, stream
from recommender.data.embedded.themes import STYLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from recommender.data.embedded.generator import EmbeddedAudience

WIDTH, HEIGHT = 96, 144
_SCALE = 2
"""Drawn this much larger and averaged down, for smooth edges."""

_Colour = tuple[int, int, int]


class _Style(NamedTuple):
    """One place on the circle of styles: neighbours have neighbouring hues, lightness rises and falls once."""

    shapes: Callable[[_Canvas], None]
    lightness: float
    saturation: float


class _Canvas(NamedTuple):
    """What a family of shapes draws with."""

    draw: ImageDraw.ImageDraw
    random: np.random.Generator
    palette: tuple[_Colour, _Colour, _Colour]
    width: int
    height: int

    def ink(self) -> _Colour:
        """One of the palette's three colours."""
        return self.palette[self.random.integers(len(self.palette))]

    def spot(self) -> tuple[float, float]:
        """Anywhere on the poster."""
        return self.random.uniform(0, self.width), self.random.uniform(0, self.height)


def draw_poster(style: int, key: int, seed: int = 0) -> Image.Image:
    """A 96 x 144 RGB poster in visual style `style` (0 to 7); `key` and `seed` fix the accidents of this one."""
    if not 0 <= style < STYLES:
        raise ValueError(f"visual style {style}: there are styles 0 to {STYLES - 1}")
    random = stream(seed, Purpose.POSTERS, key)
    look = _STYLES[style]
    hue = style / STYLES + random.uniform(-0.03, 0.03)
    light = look.lightness + random.uniform(-0.04, 0.04)
    top, bottom = _colour(hue, light, look.saturation), _colour(hue + 0.07, light * 0.7, look.saturation)
    palette = (
        _colour(hue, min(light + 0.3, 0.92), look.saturation),
        _colour(hue + 0.12, light + 0.15, look.saturation),
        _colour(hue + 0.5, 0.5, look.saturation),
    )
    width, height = WIDTH * _SCALE, HEIGHT * _SCALE
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for row in range(height):
        draw.line((0, row, width, row), fill=_between(top, bottom, row / height))
    look.shapes(_Canvas(draw, random, palette, width, height))
    return image.reduce(_SCALE)


def poster(audience: EmbeddedAudience, item_row: int) -> Image.Image:
    """The poster of one item of an audience."""
    return draw_poster(int(audience.truth.catalogue.style[item_row]), item_row, audience.seed)


def write_posters(audience: EmbeddedAudience, folder: Path) -> None:
    """Write `<item_id>.png` for every item, making the folder if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, item in enumerate(audience.dataset.items["item_id"]):
        poster(audience, row).save(folder / f"{item}.png")


def _colour(hue: float, lightness: float, saturation: float) -> _Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, min(lightness, 1.0), saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _between(top: _Colour, bottom: _Colour, share: float) -> _Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
    return red, green, blue


def _discs(canvas: _Canvas) -> None:
    for _ in range(9):
        (x, y), radius = canvas.spot(), canvas.random.uniform(0.06, 0.2) * canvas.width
        canvas.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=canvas.ink())


def _rays(canvas: _Canvas) -> None:
    x, y = canvas.random.uniform(0.3, 0.7) * canvas.width, canvas.random.uniform(0.5, 0.9) * canvas.height
    turn, far = canvas.random.uniform(0, math.pi), canvas.height * 2
    for ray in range(12):
        angle = turn + ray * math.tau / 12
        tips = [(x + far * math.cos(a), y + far * math.sin(a)) for a in (angle, angle + math.tau / 30)]
        canvas.draw.polygon([(x, y), *tips], fill=canvas.palette[ray % 2])
    canvas.draw.ellipse((x - 24, y - 24, x + 24, y + 24), fill=canvas.palette[2])


def _stripes(canvas: _Canvas) -> None:
    slope, step = canvas.random.uniform(0.3, 0.9) * canvas.width, canvas.height // 8
    for stripe in range(-3, 9):
        y = stripe * step
        corners = [(0, y + slope), (canvas.width, y), (canvas.width, y + step / 2), (0, y + slope + step / 2)]
        canvas.draw.polygon(corners, fill=canvas.ink())


def _triangles(canvas: _Canvas) -> None:
    for _ in range(11):
        (x, y), size = canvas.spot(), canvas.random.uniform(0.12, 0.35) * canvas.width
        canvas.draw.polygon([(x, y - size), (x - size, y + size), (x + size, y + size)], fill=canvas.ink())


def _waves(canvas: _Canvas) -> None:
    phase = canvas.random.uniform(0, math.tau)
    for band in range(6):
        level = canvas.height * (0.25 + 0.13 * band)
        crest = [
            (x, level + 12 * math.sin(phase + band + x / canvas.width * math.tau * 1.5))
            for x in range(0, canvas.width + 8, 8)
        ]
        floor = [(canvas.width, canvas.height), (0, canvas.height)]
        canvas.draw.polygon([*crest, *floor], fill=canvas.palette[band % 3])


def _skyline(canvas: _Canvas) -> None:
    x = 0.0
    while x < canvas.width:
        wide = canvas.random.uniform(0.08, 0.18) * canvas.width
        roof = canvas.random.uniform(0.3, 0.75) * canvas.height
        canvas.draw.rectangle((x, roof, x + wide, canvas.height), fill=canvas.palette[0])
        canvas.draw.rectangle((x + 4, roof + 8, x + 10, roof + 14), fill=canvas.ink())
        x += wide + 3


def _arches(canvas: _Canvas) -> None:
    x, y = canvas.random.uniform(0.3, 0.7) * canvas.width, canvas.random.uniform(0.6, 0.8) * canvas.height
    for ring in range(7):
        radius = (7 - ring) * canvas.width / 12
        box = (x - radius, y - radius, x + radius, y + radius)
        canvas.draw.pieslice(box, 180, 360, fill=canvas.palette[ring % 3])


def _checks(canvas: _Canvas) -> None:
    cell = canvas.width // 6
    for row in range(canvas.height // cell + 1):
        for column in range(6):
            if (row + column) % 2 == 0 or canvas.random.uniform() < 0.1:
                x, y = column * cell, row * cell
                canvas.draw.rectangle((x, y, x + cell - 4, y + cell - 4), fill=canvas.ink())


_STYLES = (
    _Style(_discs, 0.30, 0.85),
    _Style(_rays, 0.40, 0.80),
    _Style(_stripes, 0.50, 0.70),
    _Style(_triangles, 0.58, 0.60),
    _Style(_waves, 0.62, 0.50),
    _Style(_skyline, 0.52, 0.50),
    _Style(_arches, 0.42, 0.60),
    _Style(_checks, 0.34, 0.70),
)
