import pytest

from recommender.data import DataError, load


def test_the_embedded_audience_needs_no_folder():
    assert load("embedded", seed=3).synthetic


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(DataError, match="'ml-2m'; known are embedded, amazon-2014, amazon-2023, ml-1m"):
        load("ml-2m")


def test_without_a_folder_it_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv("SCREENTEST_DATA", raising=False)
    with pytest.raises(DataError, match=r"--set data\.path=FOLDER, or set SCREENTEST_DATA"):
        load("ml-1m")


def test_the_environment_names_the_folder_above_and_a_path_goes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENTEST_DATA", str(tmp_path / "above"))
    with pytest.raises(DataError, match=r"above.ml-100k.u\.user: no such file"):
        load("ml-100k")
    with pytest.raises(DataError, match=r"given.u\.user: no such file"):
        load("ml-100k", tmp_path / "given")


@pytest.mark.parametrize("source", ["atomic", "table"])
def test_a_format_needs_a_path_wherever_real_data_are(source, monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENTEST_DATA", str(tmp_path))
    with pytest.raises(DataError, match=rf"data\.source is {source} but data\.path is not given"):
        load(source)
