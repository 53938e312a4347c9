import os
import pickle
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from resumable import CONFIG, HELD_OUT, build_toy, weights

from recommender.models import ModelError, build, scores
from recommender.testing import toy_inputs, toy_profile
from recommender.training import load, save, train
from recommender.training.checkpoint import generator_state, restore_generator


def stop_in(epoch):
    """A progress callback that ends training in the middle of an epoch."""

    def progress(step, steps, note):
        if f"epoch {epoch}," in note:
            raise KeyboardInterrupt

    return progress


def run(checkpoint, config=CONFIG, progress=lambda *said: None, **changes):
    model, inputs = build_toy(**changes)
    log = train(model, inputs.train, toy_profile(inputs), HELD_OUT, config, progress, checkpoint)
    return model, log


def told(log):
    return [(epoch.number, epoch.loss, epoch.ndcg) for epoch in log.epochs], log.best, log.ndcg


@pytest.mark.parametrize("epoch", [2, 4])
def test_training_that_was_stopped_ends_with_the_same_bits(tmp_path, epoch):
    whole, log = run(None)
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, progress=stop_in(epoch))
    torch.manual_seed(99)
    resumed, again = run(checkpoint)
    assert told(again) == told(log)
    assert weights(resumed) == weights(whole)


def test_training_that_was_killed_ends_with_the_same_bits(tmp_path):
    whole, log = run(None)
    checkpoint = tmp_path / "checkpoint.pt"
    script = Path(__file__).parents[2] / "resumable.py"
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [sys.executable, script, checkpoint], check=False, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(torch.load(checkpoint)["log"]["epochs"]) == 2
    resumed, again = run(checkpoint)
    assert told(again) == told(log)
    assert weights(resumed) == weights(whole)


def test_a_finished_training_is_not_trained_on(tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    model, log = run(checkpoint)
    said = []
    again, repeated = run(checkpoint, progress=lambda *words: said.append(words))
    assert (said, repeated) == ([], log)
    assert weights(again) == weights(model)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": replace(CONFIG, learning_rate=0.01)},
        {"config": replace(CONFIG, seed=1)},
        {"dim": 4},
        {"temperature": 0.5},
        {"moved": True},
    ],
)
def test_the_checkpoint_of_another_training_is_refused(tmp_path, changes):
    checkpoint = tmp_path / "checkpoint.pt"
    run(checkpoint)
    before = checkpoint.read_bytes()
    with pytest.raises(ModelError, match=r"checkpoint\.pt: this checkpoint is of another training"):
        run(checkpoint, **changes)
    assert checkpoint.read_bytes() == before


def test_the_checkpoint_of_another_number_of_ranks_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    run(checkpoint)
    values = torch.load(checkpoint)
    torch.save({**values, "generators": values["generators"] * 2}, checkpoint)
    with pytest.raises(ModelError, match="begun by 2 ranks, not 1"):
        run(checkpoint)


@pytest.mark.parametrize("begun", ["cpu", "cuda"])
def test_a_training_goes_on_upon_a_gpu_wherever_it_was_begun(monkeypatch, begun):
    on_gpu, restored = torch.arange(16, dtype=torch.uint8), []
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: on_gpu)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: restored.append(state))
    torch.manual_seed(5)
    state = generator_state(torch.device(begun))
    expected = torch.rand(3)
    restore_generator(state, torch.device("cuda"))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(each, on_gpu) for each in restored)
    assert len(restored) == (begun == "cuda")


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: b"no"]
)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    checkpoint = tmp_path / "checkpoint.pt"
    run(checkpoint)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(ModelError, match=r"checkpoint\.pt: not a file of checkpoint"):
        run(checkpoint)


def test_a_file_of_weights_is_no_checkpoint(tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    save(build_toy()[0], checkpoint)
    with pytest.raises(ModelError, match="not a checkpoint of training"):
        run(checkpoint)


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, progress=stop_in(3))
    before = checkpoint.read_bytes()

    def half(value, file):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        run(checkpoint)
    assert checkpoint.read_bytes() == before


@dataclass
class Bomb:
    """Unpickled with ordinary pickle, it makes a folder."""

    folder: str

    def __reduce__(self):
        return __import__("os").mkdir, (self.folder,)


def test_a_file_of_weights_runs_no_code(tmp_path):
    path, crater = tmp_path / "weights.pt", tmp_path / "crater"
    model = build("popularity", {}, toy_inputs())
    for write in (
        lambda bomb: torch.save({"log_counts": bomb}, path),
        lambda bomb: path.write_bytes(pickle.dumps(bomb, protocol=2)),
    ):
        write(Bomb(str(crater)))
        with pytest.raises(ModelError, match=r"weights\.pt: not a file of weights"):
            load(model, path)
        assert not crater.exists()
    pickle.loads(path.read_bytes())
    assert crater.exists()  # the bomb is live


def test_files_that_do_not_fit_say_so(tmp_path):
    inputs = toy_inputs()
    model = build("bprmf", {"dim": 8}, inputs)
    path = tmp_path / "weights.pt"
    with pytest.raises(ModelError, match=r"weights\.pt: the weights cannot be read \(No such file"):
        load(model, path)
    save(build("bprmf", {"dim": 4}, inputs), path)
    with pytest.raises(ModelError, match=r"weights\.pt: these weights do not fit the model: .*size mismatch"):
        load(model, path)
    save(build("bprmf", {"dim": 8}, replace(inputs, items=inputs.items + 1)), path)
    with pytest.raises(ModelError, match="size mismatch"):
        load(model, path)
    torch.save([torch.zeros(3)], path)
    with pytest.raises(ModelError, match=r"weights\.pt: these weights do not fit"):
        load(model, path)
    save(model, path)
    whole = path.read_bytes()
    for damaged in (b"", b"not weights", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"weights\.pt: "):
            load(model, path)


def test_a_damaged_file_leaves_the_model_as_it_was(tmp_path):
    inputs = toy_inputs()
    model = build("bprmf", {"dim": 8}, inputs)
    before = scores(model.item.weight[:, None], model.items()[:, :8]).detach()
    (tmp_path / "weights.pt").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError):
        load(model, tmp_path / "weights.pt")
    assert torch.equal(scores(model.item.weight[:, None], model.items()[:, :8]).detach(), before)
