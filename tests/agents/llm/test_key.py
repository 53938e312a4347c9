from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agents.llm import KEY_VERSION, Draw, Message, Request, public_url, request_key

texts = st.text(st.characters(), max_size=12)  # lone surrogates included: a key must exist for any text
values = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts, st.booleans(), st.none()
)
requests = st.builds(
    Request,
    messages=st.lists(st.builds(Message, role=texts, content=texts), min_size=1, max_size=3).map(tuple),
    model=texts,
    params=st.dictionaries(
        texts.filter(lambda name: name not in ("model", "messages")), values, min_size=1, max_size=4
    ),
    draw=st.builds(
        Draw, user=texts, round=st.integers(0, 9), replicate=st.integers(0, 9), part=st.integers(0, 9)
    ),
)


def variants(request: Request):
    """The request with each of its fields changed, one at a time."""
    draw, first = request.draw, request.messages[0]
    yield replace(request, model=request.model + "x")
    yield replace(request, draw=replace(draw, user=draw.user + "x"))
    yield replace(request, draw=replace(draw, round=draw.round + 1))
    yield replace(request, draw=replace(draw, replicate=draw.replicate + 1))
    yield replace(request, draw=replace(draw, part=draw.part + 1))
    yield replace(request, messages=(replace(first, role=first.role + "x"), *request.messages[1:]))
    yield replace(request, messages=(replace(first, content=first.content + "x"), *request.messages[1:]))
    yield replace(request, messages=(*request.messages, first))
    for name in request.params:
        yield replace(request, params={**request.params, name: [request.params[name]]})
        yield replace(request, params={key: value for key, value in request.params.items() if key != name})


@given(requests)
def test_changing_any_field_changes_the_key(request):
    keys = [request_key(changed, "openai", "http://a/v1") for changed in (request, *variants(request))]
    keys += [request_key(request, "other", "http://a/v1"), request_key(request, "openai", "http://b/v1")]
    assert len(set(keys)) == len(keys)


@given(requests, st.randoms())
def test_the_order_of_parameters_does_not_change_the_key(request, random):
    items = list(request.params.items())
    random.shuffle(items)
    assert request_key(replace(request, params=dict(items)), "p", "") == request_key(request, "p", "")


def test_credentials_in_an_address_do_not_enter_the_key():
    request = Request((Message("user", "x"),), "m", {}, Draw("u", 0, 0))
    plain = request_key(request, "openai", "http://host:1/v1")
    assert request_key(request, "openai", "http://me:secret@host:1/v1/?key=secret#s") == plain
    assert public_url("http://me:secret@[::1]:8000/v1/?key=secret") == "http://[::1]:8000/v1"
    assert public_url("") == ""


def test_another_version_of_the_key_makes_other_keys(monkeypatch):
    request = Request((Message("user", "x"),), "m", {}, Draw("u", 0, 0))
    before = request_key(request, "openai", "")
    monkeypatch.setattr("agents.llm.key.KEY_VERSION", KEY_VERSION + 1)
    assert request_key(request, "openai", "") != before


def test_the_key_of_a_known_request_is_what_it_was():
    """Old journals can only be replayed while this holds; if it has to change, raise KEY_VERSION."""
    request = Request((Message("user", "Grüße"),), "m", {"temperature": 0.5, "seed": 1}, Draw("7", 2, 1))
    assert request_key(request, "openai", "http://h/v1") == (
        "6728fe2b745ee422fad4e61aabb1c6c7107d51f77d380adb1f63da201f2a2b1f"
    )
