"""Features of texts by a sentence encoder (extra `sentences`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from recommender.data.dataset import DataError
from recommender.features.encoded import Encoder, encode_each, weights_fingerprint
from recommender.features.extras import require
from recommender.features.modality import Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


def item_texts(items: pd.DataFrame) -> list[str]:
    """What a sentence encoder reads of each item: title, genres and description, as far as the item has them."""
    return [
        ". ".join(part for part in (title, ", ".join(genres), description) if part)
        for title, genres, description in zip(
            items["title"], items["genres"], items["description"], strict=True
        )
    ]


def sentence_encoder(model: str, device: torch.device | str = "cpu") -> Encoder[str]:
    """A sentence-transformers model by hub name or local folder. A text longer than it reads is cut, by the model's own rule.

    DataError where the extra or the model is missing.
    """
    library = require("sentence_transformers", "sentences")
    try:
        network = library.SentenceTransformer(model, device=str(device))
    except Exception as error:
        raise DataError(f"sentence encoder {model}: cannot be loaded: {error}") from error
    network.eval()

    def encode(texts: Sequence[str]) -> torch.Tensor:
        with torch.inference_mode():
            found: torch.Tensor = network.encode(
                list(texts), batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False
            )
        return found.float().cpu()

    return Encoder(_identity(network), encode(["a text"]).shape[1], bytes.decode, encode)


def encode_sentences(
    texts: Sequence[str],
    encoder: Encoder[str],
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> Modality:
    """Features of one text an item; an item whose text is blank has none. A text that is known is not encoded again.

    `progress` is told (items done, of items).
    """

    def read(item: int) -> bytes | None:
        text = texts[item].strip()
        return text.encode(errors="replace") if text else None

    found = encode_each(encoder, len(texts), read, batch_size, progress)
    if found.unreadable:
        item, reason = next(iter(found.unreadable.items()))
        raise DataError(f"text: item {item} ({texts[item][:40]!r}): {reason}")
    return Modality.of("text", found.vectors, found.present)


def _identity(network: Any) -> str:
    """Layers with their options, longest text, words and how they are cut, prompts, weights; not the name nor the place."""
    tokenizer = network.tokenizer
    if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
        words = json.loads(backend.to_str())
        for changed_by_use in ("padding", "truncation"):
            words.pop(changed_by_use, None)
    else:
        words = tokenizer.get_vocab()
    options = {
        "tokenizer": type(tokenizer).__name__,
        "words": words,
        "longest": network.max_seq_length,
        "prompt": network.default_prompt_name,
        "prompts": network.prompts,
    }
    return f"{network!r}\n{json.dumps(options, sort_keys=True)}\n{weights_fingerprint(network)}"
