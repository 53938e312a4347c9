import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import Template, TemplateError

NASTY = st.text(alphabet="{}[]|%$\\ namehistory.0!:r\n'\"é", min_size=1) | st.text(min_size=1)


def render(text, **values):
    return Template.parse(text, "t.txt").render(values)


@given(name=NASTY, age=NASTY)
def test_values_are_inserted_once_and_never_interpreted(name, age):
    assert render("<{name}>[[ ({age}{name})]][[(|{age}|, |{name}|)]]", name=name, age=age) == (
        f"<{name}> ({age}{name})({age}, {name})"
    )


@given(st.text(alphabet=st.characters(exclude_characters="{}[]|")))
def test_text_without_syntax_is_rendered_as_it_is(text):
    assert render(text) == text


@given(st.text(alphabet="{}[]|ab \n", max_size=30))
def test_any_text_is_a_template_or_a_template_error(text):
    try:
        template = Template.parse(text, "t.txt")
    except TemplateError:
        return
    assert "[[" not in template.render(dict.fromkeys(template.fields, "X"))


@given(st.sets(st.sampled_from(["a", "b", "c"])))
def test_a_list_clause_joins_the_members_that_have_a_value(given_fields):
    parts = [field for field in "abc" if field in given_fields]
    joints = {"a": "", "b": ", ", "c": " and "}
    expected = "".join((joints[p] if i else "") + p.upper() for i, p in enumerate(parts))
    values = {field: field.upper() for field in given_fields}
    assert render("x[[ (|{a}|, |{b}| and |{c}|)]].", **values) == (f"x ({expected})." if parts else "x.")


@pytest.mark.parametrize("absent", [{}, {"age": None}, {"age": ""}])
def test_a_clause_without_its_value_is_left_out(absent):
    assert render("user[[ aged {age}]].", **absent) == "user."


def test_double_braces_are_braces_and_a_bar_outside_of_a_clause_is_a_bar():
    assert render('{{"a": 1}} | {x}', x="{{y}}") == '{"a": 1} | {{y}}'


def test_fields_are_found_with_their_lines():
    template = Template.parse("one\n{a} two\n[[{b}]]\n{a}", "t.txt")
    assert template.fields == {"a": 2, "b": 3}
    assert template.needs == {"a"}


def test_a_needed_field_without_a_value_is_an_error_with_its_line():
    with pytest.raises(TemplateError, match=r"^t\.txt:2: \{name\} has no value"):
        render("Hello\n{name}", name=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{name", r":2: a single '\{'"),
        ("{a.b}", r":1: a single '\{'"),
        ("{a[0]}", r":1: a single '\{'"),
        ("{0}", r":1: a single '\{'"),
        ("a } b", r":1: a single '\}'"),
        ("a\n\n[[ {x}", ":3: this clause .* never closed"),
        ("a ]]", ":1: ]] closes no clause"),
        ("[[a [[{x}]] ]]", r":1: a clause \[\[ inside another"),
        ("[[always]]", ":1: a clause without a field"),
        ("[[a|{x}]]", ":1: a list clause is"),
        ("[[a|{x}|{y}|{x}|z]]", r":1: \{y\} stands where a joint"),
    ],
)
def test_broken_grammar_is_an_error_with_its_line(text, message):
    with pytest.raises(TemplateError, match=r"^t\.txt" + message):
        Template.parse(text, "t.txt")


def test_the_hash_is_that_of_the_content_and_not_of_the_place():
    one = Template.parse("Hi {name}", "a/t.txt")
    assert one.hash == Template.parse("Hi {name}", "b/t.txt").hash
    assert one.hash != Template.parse("Hi, {name}", "a/t.txt").hash
    assert one.hash != Template.parse("Hi {name}", "a/t.txt", context="lists with commas").hash
