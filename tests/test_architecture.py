import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "simulator": {"simulator", "agents", "recommender", "prompts", "scenarios"},
    "agents": {"agents", "prompts"},
    "recommender": {"recommender", "scenarios"},
    "prompts": {"prompts", "scenarios"},
    "scenarios": {"scenarios"},
}
"""Imports point down only; recommender and agents do not know each other."""
EXAMPLES = "scenarios/bring_your_own/"
DOORS = {
    "prompts/__main__.py": {"simulator"},
    **{
        module.relative_to(ROOT).as_posix(): {"recommender"}
        for module in sorted((ROOT / EXAMPLES).glob("*.py"))
    },
}
"""Modules that look up, and that nobody imports: a command (`prompts show` needs users, histories and slates), and examples of
what a user would write, which stand outside of the house and are found by the name in a scenario alone."""


def imported(source):
    """Top-level names that a module imports, those under TYPE_CHECKING and inside of functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).split(".")[0]


def foreign(package, source):
    """First-party packages that a module of `package` imports and may not."""
    return set(imported(source)) & (MAY_IMPORT.keys() | {"tests", "benchmarks"}) - MAY_IMPORT[package]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package):
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules, f"no module in {package}"
    wrong = {
        name: foreign(package, module.read_text()) - DOORS.get(name, set())
        for module in modules
        for name in [module.relative_to(ROOT).as_posix()]
    }
    assert {module: names for module, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("package", "source", "expected"),
    [
        ("agents", "from recommender.data import dataset", {"recommender"}),
        ("agents", "import prompts\nimport numpy", set()),
        ("recommender", "def f():\n    import agents.llm.types as t", {"agents"}),
        ("recommender", "if TYPE_CHECKING:\n    from simulator import world", {"simulator"}),
        ("prompts", "from agents import x\nfrom . import y", {"agents"}),
        ("simulator", "import agents, recommender, tests", {"tests"}),
    ],
)
def test_the_rule_sees_every_form_of_import(package, source, expected):
    assert foreign(package, source) == expected


def test_nobody_imports_the_examples():
    modules = [module for package in MAY_IMPORT for module in (ROOT / package).rglob("*.py")]
    inside = {module for module in modules if EXAMPLES in module.relative_to(ROOT).as_posix()}
    assert inside
    assert [str(each) for each in set(modules) - inside if "bring_your_own" in each.read_text()] == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_folder_of_code_is_a_package(package):
    folders = {module.parent for module in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
