"""The ways one title is written: without year, article moved, bracketed alternatives, joined compounds."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from agents.reply.tokens import capitalised, tokenize

_YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
_BRACKET = re.compile(r"^(.*\S)\s*\(([^()]+)\)\s*$", re.DOTALL)
_AKA = re.compile(r"\ba\.?k\.?a\.?\s+", re.IGNORECASE)
_ARTICLES = "The|An?|Les?|La|L'|El|Los|Las|Il|Lo|Gli|I|O|Os|Das|Der|Die|Den|Det|De|Het|Een|Ein|Eine|Une?"
_ARTICLE_LAST = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$", re.DOTALL)
# Foreign articles are moved back only from the end: a leading "Die" or "I" may be an English word.
_ARTICLE_FIRST = re.compile(r"^(?P<article>The|An?) (?P<rest>.+)$", re.DOTALL)
_ELIDED = re.compile(r"\b([LlDd]['’]) ")
_INITIALS = re.compile(r"\b[^\W\d_]\.(?:\s?[^\W\d_]\b\.?)+")
_COMPOUND = re.compile(r"(?<=[^\W_])[-‐‑/*,·](?=[^\W_])")
_JOINT = re.compile(r"[^\w\s()]\S|['’] |\. ")
_SMALL = frozenset({"the", "a", "an"})

VERBATIM, RENAMED, PART, LOOSE = range(4)
"""How far an alias is from the title as shown; where one text fits several titles, the nearest alias wins."""


class Alias(NamedTuple):
    """One way to write a title, as words."""

    words: tuple[str, ...]
    spaced: int
    """Bit i: only space lies between word i and word i+1, so a list separator there speaks against this title."""
    capital: int
    """Bit i: word i has a capital letter or starts with a digit (leading articles apart)."""
    distance: int
    """VERBATIM, RENAMED (no year, article moved), PART (main or alternative title alone), LOOSE (article left out or added)."""
    moved: bool = False
    """Its last word is an article behind a comma, so a text that has an article there without a comma says something else."""


def year_of(title: str) -> int | None:
    """The year in brackets that ends a title, if there is one."""
    found = _YEAR.search(title)
    return int(found.group(1)) if found else None


@lru_cache(maxsize=1 << 15)
def aliases(title: str) -> tuple[Alias, ...]:
    """All ways to write a title, no two with the same words; empty for a title without a letter or digit."""
    found: dict[tuple[str, ...], Alias] = {}

    def add(alias: Alias) -> None:
        known = found.get(alias.words)
        if alias.words and (known is None or alias.distance < known.distance):
            found[alias.words] = alias
        elif known is not None and alias.distance == known.distance:
            # The same words punctuated in two ways: what either allows is allowed.
            found[alias.words] = known._replace(
                spaced=known.spaced & alias.spaced,
                capital=known.capital & alias.capital,
                moved=known.moved and alias.moved,
            )

    for variant in _compounds(title):
        add(_alias(variant, VERBATIM))
    dated = _YEAR.search(title)
    name = title[: dated.start()] if dated else title
    if not name.strip():
        return tuple(found.values())
    for distance, surface in _names(name.strip()):
        for variant in _compounds(surface):
            alias = _alias(variant, distance)
            add(alias)
            if dated and alias.words:
                last = len(alias.words)
                words = (*alias.words, dated.group(1))
                add(alias._replace(words=words, capital=alias.capital | 1 << last, moved=False))
    return tuple(found.values())


def _alias(surface: str, distance: int) -> Alias:
    words, starts, ends = tokenize(surface)
    if not any(surface[start].isalnum() for start in starts):
        return Alias((), 0, 0, distance)  # signs alone ("&", ">") would be found in every list
    spaced = capital = 0
    for i, start in enumerate(starts):
        if i + 1 < len(starts) and not surface[ends[i] : starts[i + 1]].strip():
            spaced |= 1 << i
        if capitalised(surface[start : ends[i]]) and words[i] not in _SMALL:
            capital |= 1 << i
    return Alias(tuple(words), spaced, capital, distance, bool(_ARTICLE_LAST.match(surface)))


def _names(name: str) -> list[tuple[int, str]]:
    """(distance, string) of every way to write a title without its year, compounds as they are."""
    main, brackets = _split_brackets(name)
    names: list[tuple[int, str]] = []
    if brackets:
        as_shown = " ".join(f"({b})" for b in brackets)
        moved = " ".join(f"({_forms(b)[-1]})" for b in brackets)
        for form in _forms(main):
            names += [(RENAMED, f"{form} {rest}") for rest in (as_shown, moved)]
            names.append((PART, form))
        for alternative in _alternatives(brackets):
            names += [(PART, form) for form in _forms(alternative)]
            names += [(LOOSE, form) for form in _without_article(alternative)]
    else:
        names += [(RENAMED, form) for form in _forms(main)]
    # "A Simple Plan, A" and "Guns of Navarone" are how models write titles whose article stands last.
    names += [(LOOSE, form) for form in _without_article(main) or [f"The {main}"]]
    if found := _ARTICLE_LAST.match(main):
        names.append((LOOSE, f"{found.group('article')} {main}"))
    return names


def _split_brackets(name: str) -> tuple[str, list[str]]:
    brackets: list[str] = []
    while found := _BRACKET.match(name):
        name = found.group(1)
        brackets.insert(0, found.group(2).strip())
    return name, brackets


def _alternatives(brackets: list[str]) -> list[str]:
    parts = [part.strip(" ,") for bracket in brackets for part in _AKA.split(bracket)]
    return [part for part in parts if part]


def _forms(name: str) -> list[str]:
    """The name as it is, and with its article at the other end."""
    if found := _ARTICLE_LAST.match(name):
        article, rest = found.group("article"), found.group("rest")
        return [name, f"{article}{rest}" if article.endswith("'") else f"{article} {rest}"]
    if found := _ARTICLE_FIRST.match(name):
        return [name, f"{found.group('rest')}, {found.group('article')}"]
    return [name]


def _without_article(name: str) -> list[str]:
    found = _ARTICLE_LAST.match(name) or _ARTICLE_FIRST.match(name)
    return [found.group("rest")] if found else []


def _compounds(surface: str) -> list[str]:
    """The string with initials ("L.A.") and compounds ("Face/Off", "20,000") apart and joined."""
    surfaces = [surface]
    if not _JOINT.search(surface):
        return surfaces
    surfaces += [_ELIDED.sub(r"\1", s) for s in surfaces]
    surfaces += [_INITIALS.sub(_join_initials, s) for s in surfaces]
    surfaces += [_COMPOUND.sub("", s) for s in surfaces]
    return list(dict.fromkeys(surfaces))


def _join_initials(found: re.Match[str]) -> str:
    return re.sub(r"[.\s]", "", found.group())
