import pytest
from PIL import Image

from recommender.data import DataError
from recommender.data.content import with_images, with_texts
from recommender.data.embedded import generate


@pytest.fixture(scope="module")
def dataset():
    return generate(0).dataset


def test_texts_join_the_descriptions_of_their_items(dataset, tmp_path):
    first, second = dataset.items["item_id"][:2]
    file = tmp_path / "plots.csv"
    file.write_text(f'movie_id,plot,tagline\n{second},"A plot, long", Short\n{first},,\nnobody,A,B\n')
    told = with_texts(dataset, file)
    before = dataset.items["description"]
    assert told.items["description"][0] == before[0]
    assert told.items["description"][1] == f"{before[1]} A plot, long Short".strip()
    assert told.items["description"][2:].tolist() == before[2:].tolist()
    assert told.items.drop(columns="description").equals(dataset.items.drop(columns="description"))
    assert told.interactions is dataset.interactions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "movie_id,plot\nnobody,A\n",
            r"has none of the items of embedded; its first column, movie_id, should",
        ),
        ("movie_id\n1\n", r"plots\.csv:1: one column only"),
        ("movie_id,plot\n{item},A,B\n", r"plots\.csv:2: 3 cells where 2 were expected"),
        (
            "movie_id,plot\n{item},A\n{item},B\n",
            r"plots\.csv:3: movie_id '.*' stands at .*plots\.csv:2 already",
        ),
        ("", r"plots\.csv: the file is empty"),
        ("{item},A\nnobody,B\n", r"plots\.csv:1: begins with the item .* should name the columns"),
    ],
)
def test_texts_that_fit_nothing_are_refused(dataset, tmp_path, text, message):
    file = tmp_path / "plots.csv"
    file.write_text(text.replace("{item}", dataset.items["item_id"][0]))
    with pytest.raises(DataError, match=message):
        with_texts(dataset, file)


def test_broken_lines_of_texts_are_counted(dataset, tmp_path):
    ids = dataset.items["item_id"].tolist()
    file = tmp_path / "plots.csv"
    file.write_text("movie_id,plot\n" + "".join(f"{item},A\n" for item in ids) + "broken\n")
    told = with_texts(dataset, file, tolerance=0.01)
    [skipped] = told.skipped
    assert (skipped.kind, skipped.count, skipped.rows) == ("malformed", 1, len(ids) + 1)
    assert all(text.endswith("A") for text in told.items["description"])


def test_pictures_are_found_by_item_and_the_others_have_none(dataset, tmp_path):
    first, second = dataset.items["item_id"][:2]
    Image.new("RGB", (4, 4)).save(tmp_path / f"{second}.jpg")
    seen = with_images(dataset, tmp_path)
    assert seen.items["image"][1] == str(tmp_path / f"{second}.jpg")
    assert seen.items["image"].drop(index=1).isna().all()
    (tmp_path / f"{second}.jpg").rename(tmp_path / f"{first}x.jpg")
    with pytest.raises(DataError, match=r"has a picture of none of the items of embedded, such as ITEM\.jpg"):
        with_images(dataset, tmp_path)
