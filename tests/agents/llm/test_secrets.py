"""However somebody spells a key, it is not written down."""

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.llm import CallError
from agents.llm.openai_payload import Reader
from agents.llm.secrets import Cleaner

KEY = 'sk-canary/5Xq9+never=to"be\\written&<told>'
SPELLINGS = {
    "as it is": KEY,
    "URL": quote(KEY, safe=""),
    "URL, small letters": quote(KEY, safe="").replace("%2F", "%2f").replace("%5C", "%5c"),
    "path of a URL": quote(KEY),
    "JSON": json.dumps(KEY)[1:-1],
    "JSON, slashes escaped": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "JSON, signs as code points": KEY.replace("\\", "\\u005C")
    .replace("+", "\\u002B")
    .replace("<", "\\u003c"),
    "JSON in JSON": json.dumps(json.dumps(KEY))[3:-3],
    "repr": repr(KEY)[1:-1],
    "HTML": html.escape(KEY),
    "HTML, code points": KEY.replace("&", "&#38;").replace("/", "&#x2F;"),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_taken_out_of_text_and_messages(spelling):
    assert Cleaner([KEY])(f"before {spelling} after {spelling}") == "before [key] after [key]"
    reader = Reader("http://h/v1", "KEY", (KEY,))
    said = f"you sent {spelling}"
    for content in (said.encode(), b'{"choices": [{"message": "' + said.encode()):
        with pytest.raises(CallError) as caught:
            reader.completion(content)
        assert "you sent [key]" in str(caught.value)
        assert "you sent [key]" in str(reader.rejection(500, {}, content, "m"))
    kept = reader.completion(
        json.dumps({"choices": [{"message": {"content": said}}], "model": said}).encode()
    )
    assert (kept.text, kept.model) == ("you sent [key]", "you sent [key]")


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


@example("0000000\\", lambda key: json.dumps(key)[1:-1])
@given(printable, st.sampled_from([str, quote, html.escape, lambda key: json.dumps(key)[1:-1]]))
def test_no_key_survives(key, spell):
    assert Cleaner([key])(f"({spell(key)})") == "([key])"


def test_what_holds_no_secret_stays_as_it_is():
    assert Cleaner([])("sk-canary") == "sk-canary"
    assert Cleaner(["", KEY])("sk-canary/5Xq9-never") == "sk-canary/5Xq9-never"
    assert Cleaner(["abcdefgh", "abcdefgh-long"])("abcdefgh-long abcdefgh") == "[key] [key]"
