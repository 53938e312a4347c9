import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from recommender.caching import cache_folder
from recommender.features.encoded import Encoder, UnreadableError, encode_each, weights_fingerprint


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path))


class Spelling:
    """Encodes words by their length and first letter; remembers what it was asked."""

    def __init__(self, identity="spelling"):
        self.asked = []
        self.encoder = Encoder(identity, 2, self.prepare, self.encode)

    @staticmethod
    def prepare(raw):
        if raw == b"bad":
            raise UnreadableError("bad word")
        return raw.decode()

    def encode(self, words):
        self.asked.append(list(words))
        return torch.tensor([[len(word), float(ord(word[0]) - 96)] for word in words])

    def __call__(self, words, batch_size=2, progress=None):
        return encode_each(self.encoder, len(words), words.__getitem__, batch_size, progress)


def stored():
    return sorted(path for path in cache_folder("features").glob("*/??/*"))


def test_items_are_encoded_in_batches_and_only_what_is_new_again():
    spelling = Spelling()
    first = spelling([b"ab", None, b"cde", b"ab", b"f", b"bad"])
    assert spelling.asked == [["ab", "cde"], ["f"]]
    assert first.vectors.tolist() == [[2, 1], [0, 0], [3, 3], [2, 1], [1, 6], [0, 0]]
    assert first.present.tolist() == [True, False, True, True, True, False]
    assert first.unreadable == {5: "bad word"}
    again = spelling([b"f", b"changed", b"ab"])
    assert spelling.asked[2:] == [["changed"]]
    assert again.vectors.tolist() == [[1, 6], [7, 3], [2, 1]]


def test_another_encoder_does_not_see_the_vectors_of_the_first():
    Spelling()([b"ab"])
    other = Spelling("spelling 2")
    other([b"ab"])
    assert other.asked == [["ab"]]


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[:-1], lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), lambda raw: b"", lambda raw: raw * 2],
    ids=["cut", "flipped bit", "empty", "doubled"],
)
def test_a_damaged_vector_is_made_anew(damage):
    expected = Spelling()([b"ab"]).vectors
    (path,) = stored()
    path.write_bytes(damage(path.read_bytes()))
    spelling = Spelling()
    assert torch.equal(spelling([b"ab"]).vectors, expected)
    assert spelling.asked == [["ab"]]
    assert torch.equal(Spelling()([b"ab"]).vectors, expected)


def test_a_vector_of_another_width_is_not_taken():
    Spelling()([b"ab"])
    wider = Spelling()
    wider.encoder = replace(wider.encoder, dim=3, encode=lambda words: torch.ones(len(words), 3))
    assert wider([b"ab"]).vectors.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("bad", [0.0, torch.nan, torch.inf])
def test_a_vector_without_direction_is_a_missing_item_and_not_stored(bad):
    spelling = Spelling()
    spelling.encoder = replace(spelling.encoder, encode=lambda words: torch.full((len(words), 2), bad))
    found = spelling([b"ab", b"ab"])
    assert not found.present.any()
    assert (found.vectors == 0).all()
    assert found.unreadable == dict.fromkeys((0, 1), "the encoder's vector is zero or not finite")
    assert stored() == []


def test_what_was_encoded_before_an_interruption_is_kept():
    def read(item):
        if item == 3:
            raise KeyboardInterrupt
        return f"word{item}".encode()

    with pytest.raises(KeyboardInterrupt):
        encode_each(Spelling().encoder, 4, read, 2)
    assert len(stored()) == 2


def test_progress_counts_to_the_end():
    told = []
    Spelling()([b"a", None, b"bad"], progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_no_item_is_no_error():
    assert Spelling()([]).vectors.shape == (0, 2)


SCRIPT = """
import json, torch
from recommender.features.encoded import Encoder, encode_each
asked = []
def encode(words):
    asked.extend(words)
    return torch.tensor([[float(len(word)), 1.0] for word in words])
words = [f"word {number}".encode() for number in range(200)]
found = encode_each(Encoder("of two", 2, bytes.decode, encode), 200, words.__getitem__, 8)
print(json.dumps([asked, found.vectors.tolist()]))
"""


def test_two_processes_at_once_encode_each_content_once():
    root = Path(__file__).parents[3]
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    found = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(found[0][0] + found[1][0]) == sorted(f"word {number}" for number in range(200))
    assert found[0][1] == found[1][1]
    assert len(stored()) == 200


def test_the_fingerprint_knows_names_types_and_every_bit():
    def of(change=None):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        if change:
            change(model)
        return weights_fingerprint(model)

    def nudge(model):
        with torch.no_grad():
            model[0].weight[0, 0] = torch.nextafter(model[0].weight[0, 0], torch.tensor(2.0))

    assert of() == of()
    changes = [nudge, nn.Module.half, lambda model: model[1].num_batches_tracked.add_(1)]
    assert len({of(), *map(of, changes)}) == 4
