import pytest

from recommender.data import DataError
from recommender.data.content import with_images, with_texts
from recommender.data.embedded import generate


@pytest.fixture(scope="module")
def data():
    return generate(0).dataset


def test_texts_come_behind_the_description_of_their_items(data, tmp_path):
    first, second = data.items["item_id"][:2]
    (tmp_path / "texts.csv").write_text(f'item,plot,by\n{second},"A town, at sea", Ann \nelse,x,y\n')
    told = with_texts(data, tmp_path / "texts.csv").items["description"]
    assert told[0] == data.items["description"][0]
    assert told[1] == f"{data.items['description'][1]} A town, at sea Ann"
    assert first != second


def test_texts_without_a_header_are_refused_since_the_first_would_be_lost(data, tmp_path):
    first, second = data.items["item_id"][:2]
    (tmp_path / "texts.csv").write_text(f"{first},Plot\n{second},Plot\n")
    with pytest.raises(DataError, match=r"texts\.csv:1: begins with the item .* should name the columns"):
        with_texts(data, tmp_path / "texts.csv")


def test_texts_and_pictures_of_other_items_are_refused(data, tmp_path):
    (tmp_path / "texts.csv").write_text("item,plot\nelse,x\n")
    with pytest.raises(DataError, match=r"texts\.csv: has none of the items"):
        with_texts(data, tmp_path / "texts.csv")
    (tmp_path / "else.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="a picture of none of the items"):
        with_images(data, tmp_path)
