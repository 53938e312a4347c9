import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECK = "from simulator.collision import exit_on_collision; exit_on_collision(); print('free')"
NAMES = ["agents", "prompts", "recommender", "scenarios"]


@pytest.fixture
def home(tmp_path):
    """A bare installation: the check itself and one empty package of each of our names."""
    home = tmp_path / "site"
    for name in ["simulator", *NAMES]:
        (home / name).mkdir(parents=True)
        (home / name / "__init__.py").touch()
    (home / "simulator" / "collision.py").write_bytes((ROOT / "simulator" / "collision.py").read_bytes())
    own = distribution(home, "screentest", *(f"{name}/__init__.py" for name in NAMES))
    assert own.is_file()
    return home


def distribution(folder, name, *files):
    """Pretend that a distribution is installed in `folder`; as pip would, write its files and their record."""
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    record = info / "RECORD"
    record.write_text("".join(f"{file},sha256=x,0\n" for file in files))
    return record


def check(cwd, *path, args=("-c", CHECK)):
    # -S: the environment that runs the tests has a Screentest of its own, which must not answer for the bare one.
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, "-S", *args],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_a_collision_nothing_is_said(home, tmp_path):
    done = check(tmp_path, home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "free\n", "")


def test_the_checkout_itself_is_free():
    assert check(ROOT, ROOT).returncode == 0


def test_another_distribution_found_first_is_named(home, tmp_path):
    other = tmp_path / "other"
    distribution(other, "openai-agents", "agents/__init__.py", "agents/run.py")
    done = check(tmp_path, other, home)
    assert done.returncode == 2
    assert "package 'agents'" in done.stderr
    assert "openai-agents 1.2" in done.stderr
    assert "python3 -m venv" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file", ["agents/__init__.py", "prompts/deep/x.py", "scenarios.py"])
def test_another_distribution_in_the_same_folder_is_named(home, tmp_path, file):
    distribution(home, "openai-agents", file)
    done = check(tmp_path, home)
    assert done.returncode == 2
    assert f"package {file.split('/')[0].removesuffix('.py')!r}" in done.stderr
    assert "openai-agents 1.2" in done.stderr


def test_other_distributions_beside_ours_do_no_harm(home, tmp_path):
    distribution(home, "good-neighbour", "neighbour/agents/__init__.py", "agents_extra/__init__.py")
    assert check(tmp_path, home).returncode == 0


@pytest.mark.parametrize("file", ["prompts/__init__.py", "prompts.py"])
def test_a_package_in_the_current_folder_is_named_by_its_place(home, tmp_path, file):
    here = tmp_path / "here"
    (here / file).parent.mkdir(parents=True)
    (here / file).touch()
    done = check(here, home)
    assert done.returncode == 2
    assert str(here / "prompts") in done.stderr
    assert "no part of Screentest" in done.stderr


def test_a_plain_folder_of_scenarios_in_the_current_folder_does_no_harm(home, tmp_path):
    (tmp_path / "scenarios").mkdir()
    assert check(tmp_path, home).returncode == 0


def test_an_incomplete_installation_is_named(home, tmp_path):
    (home / "prompts" / "__init__.py").unlink()
    (home / "prompts").rmdir()
    done = check(tmp_path, home)
    assert done.returncode == 2
    assert "package 'prompts' is not beside" in done.stderr


def test_the_command_line_says_what_collides(tmp_path):
    other = tmp_path / "other"
    distribution(other, "openai-agents", "agents/__init__.py")
    done = check(tmp_path, other, ROOT, args=("-m", "simulator.run", "scenarios/cold_start.yaml"))
    assert done.returncode == 2
    assert "openai-agents 1.2" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_checks_imports_only_the_standard_library():
    for file in ["simulator/__init__.py", "simulator/collision.py"]:
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
