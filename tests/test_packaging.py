import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PACKAGES = ["simulator", "recommender", "agents", "prompts", "scenarios"]
PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import prompts, simulator
from simulator.scenario import load
for name in ("cold_start", "cold_start_ml1m"):
    assert load(Path(f"scenarios/{name}.yaml")).name == name
scenario = load(Path("scenarios/cold_start.yaml")).prompts
family = prompts.load_family(scenario.family)
for name in (scenario.system, scenario.profile, scenario.memory, scenario.feedback):
    family.template(name)
print(Path(simulator.__file__).parents[1], family.folder, sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True
    )
    return next(folder.glob("screentest-*.whl"))


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel):
    ours = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == ours
    assert {"scenarios/cold_start.yaml", "prompts/families/paper/template_b.txt"} <= packed


def test_an_installed_wheel_finds_its_scenarios_and_prompts(wheel, tmp_path):
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(installed)
    elsewhere.mkdir()
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, installed],
        cwd=elsewhere,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [Path(line).is_relative_to(installed) for line in done.stdout.splitlines()] == [True, True]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_every_pin_is_a_plain_released_version():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []


def test_every_requirement_is_pinned_to_a_version_that_it_allows():
    required = [Requirement(text) for text in project()["dependencies"]]
    required += [Requirement(text) for texts in project()["optional-dependencies"].values() for text in texts]
    pinned = {re.sub(r"[._-]+", "-", name).lower(): version for name, version in pins().items()}
    wrong = [
        str(requirement)
        for requirement in required
        if not requirement.specifier.contains(Version(pinned.get(requirement.name.replace(".", "-"), "0")))
    ]
    assert len(required) >= 20
    assert wrong == []


def test_what_the_pins_bring_in_is_pinned_too():
    pinned = {re.sub(r"[._-]+", "-", name).lower() for name in pins()}
    missing = {}
    installed = {each.metadata["Name"] for each in importlib.metadata.distributions()}
    normal = {re.sub(r"[._-]+", "-", name).lower() for name in installed}
    for name in pins():
        if re.sub(r"[._-]+", "-", name).lower() not in normal:
            continue  # of an extra that this environment lacks
        needed = [Requirement(text) for text in importlib.metadata.requires(name) or []]
        names = {
            re.sub(r"[._-]+", "-", n.name).lower()
            for n in needed
            if n.marker is None or n.marker.evaluate({"extra": ""})
        }
        # A default torch build brings its own CUDA libraries, in versions that it pins itself.
        if loose := {n for n in names - pinned if not n.startswith(("nvidia-", "cuda-", "triton"))}:
            missing[name] = loose
    assert missing == {}


def test_every_dependency_says_why_it_is_there():
    text = (ROOT / "pyproject.toml").read_text()
    extras = [requirement for extra in project()["optional-dependencies"].values() for requirement in extra]
    for requirement in project()["dependencies"] + extras:
        assert re.search(rf'"{re.escape(requirement)}", +# \w+', text), requirement


def test_the_version_of_the_changelog_is_the_package_s():
    assert f"## {project()['version']}" in (ROOT / "CHANGELOG.md").read_text()
