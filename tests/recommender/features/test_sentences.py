import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from recommender.data import DataError
from recommender.features.sentences import encode_sentences, item_texts, sentence_encoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "robot", "war", "garden", "love", "##s", "a", "in"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))


def made(folder, pooling="mean", seed=0, longest=16):
    """A BERT of a few thousand random weights, saved as a sentence-transformers model."""
    pytest.importorskip("sentence_transformers", reason="the extra 'sentences' is not installed")
    import transformers
    from sentence_transformers import SentenceTransformer, models

    torch.manual_seed(seed)
    bert = folder / f"bert-{seed}"
    bert.mkdir(parents=True, exist_ok=True)
    (bert / "vocab.txt").write_text("\n".join(WORDS))
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(bert)
    transformers.BertTokenizerFast(vocab=str(bert / "vocab.txt")).save_pretrained(bert)
    network = SentenceTransformer(
        modules=[
            models.Transformer(str(bert), max_seq_length=longest),
            models.Pooling(16, pooling_mode=pooling),
        ],
        device="cpu",
    )
    network.save(str(folder / f"model-{pooling}-{seed}"))
    return str(folder / f"model-{pooling}-{seed}")


TEXTS = ["robot wars", "", "love in a garden", "  \n", "robot wars", "a " * 200 + "garden"]


def test_texts_become_vectors_and_blank_ones_are_missing(tmp_path):
    text = encode_sentences(TEXTS, sentence_encoder(made(tmp_path)))
    assert text.name == "text"
    assert text.vectors.shape == (6, 16)
    assert text.present.tolist() == [True, False, True, False, True, True]
    assert torch.equal(text.vectors[0], text.vectors[4])
    assert text.vectors[0] @ text.vectors[2] < 0.999


def test_a_batch_mate_does_not_change_a_vector(tmp_path):
    encoder = sentence_encoder(made(tmp_path))
    together = encoder.encode(["robot", "love in a garden in love", "war"])
    for number, text in enumerate(["robot", "love in a garden in love", "war"]):
        torch.testing.assert_close(encoder.encode([text])[0], together[number], rtol=1e-4, atol=1e-5)


def test_it_is_what_the_library_itself_gives(tmp_path):
    model = made(tmp_path)
    network = sys.modules["sentence_transformers"].SentenceTransformer(model, device="cpu")
    expected = torch.from_numpy(network.encode(["robot wars", "love"], normalize_embeddings=True))
    found = encode_sentences(["robot wars", "love"], sentence_encoder(model))
    torch.testing.assert_close(found.vectors, expected, rtol=1e-4, atol=1e-5)


def test_only_new_texts_are_encoded(tmp_path):
    whole = sentence_encoder(made(tmp_path))
    asked = []
    counting = type(whole)(
        whole.identity,
        whole.dim,
        whole.prepare,
        lambda texts: asked.append(list(texts)) or whole.encode(texts),
    )
    encode_sentences(TEXTS, counting)
    encode_sentences(["war", *TEXTS], counting)
    assert [len(batch) for batch in asked] == [3, 1]
    assert asked[1] == ["war"]


def test_weights_pooling_and_words_make_another_identity(tmp_path):
    same, again = (sentence_encoder(made(tmp_path / name)).identity for name in ("a", "b"))
    assert same == again  # wherever it lies
    assert sentence_encoder(made(tmp_path / "c", seed=1)).identity != same
    assert sentence_encoder(made(tmp_path / "d", pooling="cls")).identity != same
    assert sentence_encoder(made(tmp_path / "e", longest=8)).identity != same
    folder = made(tmp_path / "f")
    for file in Path(folder).rglob("tokenizer.json"):
        file.write_text(file.read_text().replace('"garden"', '"gardens"'))
    assert sentence_encoder(folder).identity != same


def test_a_folder_without_a_model_is_an_error(tmp_path):
    pytest.importorskip("sentence_transformers", reason="the extra 'sentences' is not installed")
    with pytest.raises(DataError, match="cannot be loaded"):
        sentence_encoder(str(tmp_path / "none"))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(DataError, match=r"sentence_transformers.*pip install 'screentest\[sentences\]'"):
        sentence_encoder("any")


def test_what_an_encoder_reads_of_an_item():
    items = pd.DataFrame(
        {
            "title": ["Robot War", "", "Robot Love"],
            "genres": [("Sci-Fi", "War"), (), ()],
            "description": ["A robot.", "", ""],
        }
    )
    assert item_texts(items) == ["Robot War. Sci-Fi, War. A robot.", "", "Robot Love"]
