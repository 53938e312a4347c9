from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.data import DataError
from recommender.data.skipping import SHOWN, Skips

FILE = Path("shop.csv")


@given(bad=st.integers(0, 30), good=st.integers(0, 300), tolerance=st.floats(0, 1))
def test_every_row_is_kept_or_counted_and_too_many_are_an_error(bad, good, tolerance):
    skips = Skips(FILE, tolerance)
    for row in range(bad):
        skips.malformed([f"shop.csv:{row + 1}: broken"])
    if bad > tolerance * (bad + good):
        with pytest.raises(DataError, match=rf"{bad:,} of {bad + good:,} rows cannot be used"):
            skips.close(bad + good)
        return
    skipped = skips.close(bad + good)
    assert sum(each.count for each in skipped) == skips.left_out == bad
    for each in skipped:
        assert each.first == tuple(f"shop.csv:{row + 1}: broken" for row in range(min(bad, SHOWN)))
        assert f"{bad:,} of {bad + good:,} rows left out (malformed); first: shop.csv:1: broken" in str(each)


def test_repeats_are_counted_but_no_fault_of_the_file():
    skips = Skips(FILE, 0)
    skips.repeated(["shop.csv:3: again"], 900)
    assert [(each.kind, each.count) for each in skips.close(1000)] == [("repeated", 900)]


def test_places_are_not_looked_for_once_enough_are_known():
    skips = Skips(FILE, 1)
    skips.malformed(map(str, range(SHOWN)), SHOWN)

    def costly():
        raise AssertionError("asked for")
        yield

    skips.malformed(costly(), 7)
    assert skips.close(100)[0].count == SHOWN + 7
