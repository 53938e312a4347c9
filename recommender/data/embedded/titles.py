"""Invented film titles with the traps that real ones hold for a parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.data.embedded.themes import THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

TRAPS = (
    # One title is whole words of another.
    ("Saltharbor", 1991), ("Glass Saltharbor, The", 1987), ("Quince", 1972), ("No. 9 Quince Lane", 1958),
    ("Pellam", 1969), ("Pellam: The Long Thaw", 1998), ("Tin & Tallow", 1990), ("Return of Tin & Tallow, The", 1994),
    # The same title in two years.
    ("Glass Saltharbor, The", 1998), ("Thistledown Affair, A", 1954), ("Thistledown Affair, A", 1993),
    ("Vermilion Clerk", 1985), ("Vermilion Clerk", 1999),
    # Commas, with and without an inverted article.
    ("Lantern, the Fox and the Sea, The", 1994), ("Yes, No, Orvale", 1990), ("Ham, Eggs & Hubris", 1993),
    ("Bread, Thread, and Dread", 1999), ("And, Then, Orlanda", 1996), ("Mr. Tuppenny, Esq.", 1967),
    # Inverted articles, English and not; one that only looks inverted.
    ("Owl's Last Errand, An", 1985), ("Mother's Crooked Ladder, A", 1988), ("Maison d'Ambrelle, La", 1986),
    ("Oiseleur de Brume, L'", 1991), ("Nachtschicht des Tischlers, Die", 1978), ("A to Zephyrine", 1995),
    # Numbers and years inside titles.
    ("7 Doors of Quell", 1996), ("7 Doors of Quell, 8 Keys", 1999), ("1,000 Crooked Umbrellas", 1997),
    ("Orvale 1912", 1974), ("2099: The Quiet Engine", 1995), ("Winter of 1947 in Pellam, The", 1962),
    # Bracketed alternative titles.
    ("Midnight Ledgerman (a.k.a. The Bookkeeper of Orvale)", 1982),
    ("Nachtigallenhof (Nightingale Court)", 1984), ("Hora Prestada, La (a.k.a. The Borrowed Hour)", 1994),
    # Accents, colons, apostrophes, exclamation and question marks, a hyphen, dots.
    ("Éveline Dufrêne", 1995), ("Señor Calambre", 1992), ("Café Zéphyrin, The", 1989), ("Jörg's Überraschung", 1998),
    ("Don't Wake the Pastrycook!", 1989), ("Who Salted the Pianola?", 1991), ("Half-Past Orlanda", 1981),
    ("Q.E.D. Orlanda", 1997),
)  # fmt: skip
"""(title without year, year); all of them are in every catalogue. Letters stay inside Latin-1, as in MovieLens-1M."""

_ADJECTIVES = (
    "Crooked", "Amber", "Borrowed", "Brass", "Cobalt", "Crimson", "Drowsy", "Feathered", "Fourteenth", "Gilded",
    "Hollow", "Ivory", "Knitted", "Lopsided", "Marbled", "Moonlit", "Mulberry", "Painted", "Paper", "Patchwork",
    "Porcelain", "Reluctant", "Rusted", "Saffron", "Secondhand", "Silent", "Sunken", "Tangled", "Unlucky", "Velvet",
    "Wandering", "Whistling", "Wicker", "Woolen",
)  # fmt: skip
_PLACES = (
    "Ambrelle", "Brackwater", "Carrowmere", "Dunmallow", "Eastwhistle", "Farrowgate", "Gildenmoor", "Hexley",
    "Inverquell", "Jasperville", "Kettlebridge", "Larkhollow", "Merrowby", "Nettlefield", "Orvale", "Pellam",
    "Quell", "Ravensomer", "Saltharbor", "Thornaby Sound", "Umberleigh", "Vantry", "Willowmarch", "Yarrowdale",
)  # fmt: skip
_PEOPLE = (
    "Abernathy", "Bellweather", "Cordelia", "Dimitrios", "Esperanza", "Fitzgibbon", "Gwendolyn", "Hortensia",
    "Ignatius", "Josephina", "Kowalczyk", "Leopoldine", "Marguerita", "Nakagawa", "Octavian", "Penhaligon",
    "Quentina", "Rosamund", "Solveig", "Tobermory", "Ursuline", "Valentino", "Wilhelmina", "Zebedee",
)  # fmt: skip


def titles(random: np.random.Generator, themes: NDArray[np.int64], years: NDArray[np.int64]) -> list[str]:
    """A unique title with its year in brackets for each item, its words taken from the item's theme.

    Traps sit at random places and bring their own year.
    """
    count = len(themes)
    places = random.permutation(count)[: len(TRAPS)]
    made = {int(place): f"{title} ({year})" for place, (title, year) in zip(places, TRAPS, strict=True)}
    taken = {title for title, _ in TRAPS}
    result = []
    for item in range(count):
        if item not in made:
            name = _fresh(random, THEMES[themes[item]].nouns, taken)
            made[item] = f"{name} ({years[item]})"
        result.append(made[item])
    return result


def year_of(title: str) -> int:
    """The year in a title's last brackets."""
    return int(title[-5:-1])


def _fresh(random: np.random.Generator, nouns: Sequence[str], taken: set[str]) -> str:
    """A title not in `taken`, which it joins. Every pattern holds an invented or unusual pair of words."""
    while True:
        noun, other = (nouns[i] for i in random.permutation(len(nouns))[:2])
        adjective = _ADJECTIVES[random.integers(len(_ADJECTIVES))]
        place = _PLACES[random.integers(len(_PLACES))]
        person = _PEOPLE[random.integers(len(_PEOPLE))]
        patterns = (
            f"{adjective} {noun}, The",
            f"{adjective} {noun}, The",
            f"{noun} of {place}, The",
            f"{noun} for {person}, {'An' if noun[0] in 'AEIOU' else 'A'}",
            f"{adjective} {noun} of {place}",
            f"{person}'s {noun}",
            f"{person} and the {adjective} {noun}",
            f"{person}, {noun}",
            f"{noun} & {other} in {place}",
            f"{place} {noun}",
            f"{noun}: {adjective} {other}",
            f"{person} in {place}",
        )
        title = patterns[random.integers(len(patterns))]
        if title not in taken:
            taken.add(title)
            return title
