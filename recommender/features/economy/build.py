"""Make the shipped tables of places from the public files that they come from."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from typing import TYPE_CHECKING

from recommender.data import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# US Census Bureau, "Census Regions and Divisions of the United States".
_DIVISIONS: Mapping[str, Mapping[str, str]] = {
    "New England": {
        "CT": "Connecticut", "ME": "Maine", "MA": "Massachusetts", "NH": "New Hampshire", "RI": "Rhode Island",
        "VT": "Vermont",
    },
    "Middle Atlantic": {"NJ": "New Jersey", "NY": "New York", "PA": "Pennsylvania"},
    "East North Central": {
        "IL": "Illinois", "IN": "Indiana", "MI": "Michigan", "OH": "Ohio", "WI": "Wisconsin",
    },
    "West North Central": {
        "IA": "Iowa", "KS": "Kansas", "MN": "Minnesota", "MO": "Missouri", "NE": "Nebraska", "ND": "North Dakota",
        "SD": "South Dakota",
    },
    "South Atlantic": {
        "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia", "MD": "Maryland",
        "NC": "North Carolina", "SC": "South Carolina", "VA": "Virginia", "WV": "West Virginia",
    },
    "East South Central": {"AL": "Alabama", "KY": "Kentucky", "MS": "Mississippi", "TN": "Tennessee"},
    "West South Central": {"AR": "Arkansas", "LA": "Louisiana", "OK": "Oklahoma", "TX": "Texas"},
    "Mountain": {
        "AZ": "Arizona", "CO": "Colorado", "ID": "Idaho", "MT": "Montana", "NV": "Nevada", "NM": "New Mexico",
        "UT": "Utah", "WY": "Wyoming",
    },
    "Pacific": {"AK": "Alaska", "CA": "California", "HI": "Hawaii", "OR": "Oregon", "WA": "Washington"},
    "Outlying areas": {
        "AS": "American Samoa", "FM": "Micronesia", "GU": "Guam", "MH": "the Marshall Islands",
        "MP": "the Northern Mariana Islands", "PR": "Puerto Rico", "PW": "Palau", "VI": "the US Virgin Islands",
    },
}  # fmt: skip
# Lower bound and width of each bracket of table B19001 as income.json joins them; the last has no upper end.
_BRACKETS: Mapping[str, tuple[int, int | None]] = {
    "<10000": (0, 10_000),
    "10000 to 14999": (10_000, 5_000),
    "15000 to 24999": (15_000, 10_000),
    "25000 to 34999": (25_000, 10_000),
    "35000 to 49999": (35_000, 15_000),
    "50000 to 74999": (50_000, 25_000),
    "75000 to 99999": (75_000, 25_000),
    "100000 to 149999": (100_000, 50_000),
    "150000 to 199999": (150_000, 50_000),
    "200000+": (200_000, None),
}


def build_tables(folder: Path) -> dict[str, str]:
    """File name -> text of the tables, from `zipcodes.csv` (GeoNames) and `income.json` (Census) in a folder.

    The same input gives the same bytes. DataError says which file lacks what.
    """
    incomes = _median_incomes(folder / "income.json")
    states = [
        (code, name, division, incomes.get(name, ""))
        for division, names in _DIVISIONS.items()
        for code, name in names.items()
    ]
    if strange := incomes.keys() - {name for _, name, _, _ in states}:
        raise DataError(f"{folder / 'income.json'}: {sorted(strange)} are no states that the builder knows")
    prefixes = _prefixes(folder / "zipcodes.csv", {code for code, *_ in states})
    return {
        "states.csv": _table(("state", "name", "division", "income"), sorted(states)),
        "zip_states.csv": _table(("prefix", "state"), sorted(prefixes.items())),
    }


def _prefixes(path: Path, states: set[str]) -> dict[str, str]:
    """State by the first three digits where all listed codes agree, by all five where they do not."""
    by_prefix: dict[str, dict[str, str]] = defaultdict(dict)
    with _opened(path) as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            code, state = row.get("zip_code"), row.get("state")
            if code is None or len(code) != 5 or state not in states:
                raise DataError(f"{path}:{number}: ZIP code {code!r} in {state!r}: no code of a known state")
            by_prefix[code[:3]][code] = state
    found = {}
    for prefix, codes in by_prefix.items():
        alike = set(codes.values())
        found.update({prefix: alike.pop()} if len(alike) == 1 else codes)
    return found


def _median_incomes(path: Path) -> dict[str, int]:
    """Median household income by the state's name, in whole dollars."""
    by_state: dict[str, dict[str, float]] = defaultdict(dict)
    with _opened(path) as text:
        try:
            for row in json.load(text):
                by_state[row["name"]][row["group"]] = row["pct"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: no list of brackets with name, group and pct: {error!r}") from error
    for name, shares in by_state.items():
        if shares.keys() != _BRACKETS.keys():
            raise DataError(f"{path}: {name} has the brackets {sorted(shares)}, expected {sorted(_BRACKETS)}")
    return {name: _median(path, name, shares) for name, shares in by_state.items()}


def _median(path: Path, name: str, shares: Mapping[str, float]) -> int:
    """Linear interpolation inside the bracket that holds the middle household.

    The median and not the mean: that of the last bracket, which has no end, would have to be made up.
    """
    half, below = sum(shares.values()) / 2, 0.0
    for bracket, (low, width) in _BRACKETS.items():
        if width is not None and below + shares[bracket] >= half:
            return round(low + width * (half - below) / shares[bracket])
        below += shares[bracket]
    raise DataError(f"{path}: the median of {name} lies in the last bracket, which has no end")


def _opened(path: Path) -> io.StringIO:
    try:
        return io.StringIO(path.read_text(encoding="utf-8"), newline="")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
