"""What replies of real models and fuzzed ones have found in the parser, each once."""

import pytest

from agents.reply import Asked, Status, TitleIndex, parse

ACCEPT, RANK = Asked(accept=True, rank=False), Asked(accept=False, rank=True)
SLATE = [
    "Heat (1995)", "Hard Day's Night, A (1964)", "Alien (1979)", "Say Anything... (1989)", "Who Framed Roger Rabbit? (1988)",
    "Shall We Dance? (Shall We Dansu?) (1996)", "Airplane! (1980)", "eXistenZ (1999)", "'burbs, The (1989)", "Contact (1997)",
    "Jurassic Park (1993)", "Haunted World of Edward D. Wood Jr., The (1995)",
    "Titan A.E. (2000)",
]  # fmt: skip
HEAT, HARD, ALIEN, SAY, ROGER, DANCE, AIRPLANE, EXISTENZ, BURBS, CONTACT, JURASSIC, WOOD, TITAN = range(13)


@pytest.mark.parametrize(
    "clause",
    [
        "I doubt that I would accept Heat.", "I fail to see why I would accept Heat.", "It is hard to imagine that I would accept Heat.",
        "I would stop short of accepting Heat.", "I would have accepted Heat if it were shorter.", "I  would  have  accepted  Heat.",
        "I  am  not  sure  that  I  would  accept  Heat.", "I used to accept films like Heat, but no longer.",
        "Should I accept Heat? No.", "I would accept Heat? Never.", "Who would accept Heat?", "Should I accept these recommendations: Heat? No.",
        "I would accept Heat if nothing else were on.", "Heat: I would accept it if it were not for its length.",
        "Unacceptable: Heat", "**“Heat (1995)”** - No.", "Skipped: Heat", "Not for me: Heat", "Maybe: Heat",
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "I would accept these recommendations: Contact.\n"])
def test_what_accepts_nothing(clause, before):
    verdict = parse(before + clause, SLATE, "stop", ACCEPT)
    assert verdict.accepted == ((CONTACT,) if before else ())


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("*Say Anything...*", SAY),
        ("Who Framed Roger Rabbit? (1988)", ROGER),
        ("Airplane!", AIRPLANE),
        ("Shall We Dance?", DANCE),
        ("Titan A.E.", TITAN),
    ],
)
def test_the_mark_of_a_title_is_none_of_the_sentence(title, place):
    assert parse(f"Should I accept {title}? No.", SLATE, "stop", ACCEPT).accepted == ()
    assert (
        parse(f"I would only accept {title} if nothing else were on.", SLATE, "stop", ACCEPT).accepted == ()
    )
    assert parse(f"I would accept {title}, and Heat.", SLATE, "stop", ACCEPT).accepted == (place, HEAT)


@pytest.mark.parametrize(
    "text",
    [
        "I would accept these recommendations: Shall We Dance? (Shall We Dansu?), Heat.",
        "I would accept these recommendations: Shall We Dance?, Guess Who?, Heat",
        "I would accept Shall We Dance? (Shall We Dansu?) (1996) and Heat.",
    ],
)
def test_a_list_with_question_marks_asks_nothing(text):
    assert parse(text, SLATE, "stop", ACCEPT).accepted == (DANCE, HEAT)


@pytest.mark.parametrize("reason", ["a fine one", "A classic, too", "the best of all"])
def test_an_article_that_begins_the_reason_is_not_the_title_s(reason):
    text = f"My ranking as Ann would be:\n1. **A Hard Day's Night** - {reason}\n2. **Heat** - {reason}"
    verdict = parse(text, SLATE, "stop", RANK)
    assert (verdict.ranking, verdict.unknown) == ((HARD, HEAT), ())
    assert parse("My ranking would be Hard Day's Night, A, Heat", SLATE, "stop", RANK).ranking == (HARD, HEAT)


def test_titles_in_small_letters_and_articles_behind_a_full_stop():
    text = "My ranking as Ann would be eXistenZ, Haunted World of Edward D. Wood Jr., The, Heat"
    verdict = parse(text, SLATE, "stop", RANK)
    assert (verdict.ranking, verdict.unknown) == ((EXISTENZ, WOOD, HEAT), ())
    assert parse("My ranking as Ann would be The 'burbs, Heat", SLATE, "stop", RANK).ranking == (BURBS, HEAT)


@pytest.mark.parametrize(
    "name",
    [
        "Alien: Resurrection (1997)",
        "Alien: Part II",
        "Lost World: Jurassic Park, The (1997)",
        "Lost World: Jurassic Park, The",
        "Star Trek: First Contact",
        "Contact, The (1962)",
    ],
)
def test_a_title_inside_a_longer_name_is_not_meant(name):
    verdict = parse(f"My ranking as Ann would be:\n1. {name}\n2. Heat", SLATE, "stop", RANK)
    assert (verdict.ranking, len(verdict.unknown), verdict.status) == ((HEAT,), 1, Status.PARTIAL)
    alone = parse(f"My ranking as Ann would be:\n1. {name}", SLATE, "stop", RANK)
    assert (alone.ranking, alone.status) == ((), Status.UNPARSEABLE)


@pytest.mark.parametrize(
    "line",
    [
        "Alien: Tense and dark.",
        "Alien: A Classic (1979)",
        "Alien (1979): Part of my youth",
        "Alien, the first",
    ],
)
def test_a_reason_makes_no_longer_name(line):
    assert parse(f"My ranking would be:\n1. {line}\n2. Heat", SLATE, "stop", RANK).ranking == (ALIEN, HEAT)


def test_words_before_a_title_are_no_unknown_name():
    text = "I would accept these recommendations: Heat.\nPerhaps I would accept Contact."
    assert parse(text, SLATE, "stop", ACCEPT).unknown == ()


def test_the_sign_that_ends_a_title_is_part_of_it():
    [mention] = TitleIndex(SLATE).find("Then Airplane! at last")
    assert (mention.start, mention.end) == (5, 14)


def test_a_bare_list_that_says_no_to_an_item_accepts_none_by_naming_it():
    verdict = parse("**Heat** - No.\n\nVegas - Contact", SLATE, "stop", ACCEPT)
    assert (verdict.accepted, verdict.rejected) == ((), (HEAT,))
    verdict = parse("Heat - yes\nContact - no", SLATE, "stop", ACCEPT)
    assert (verdict.accepted, verdict.rejected) == ((HEAT,), (CONTACT,))
