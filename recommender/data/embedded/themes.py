"""What the invented films are about: themes, tones of telling, and who leans towards which theme."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """One latent cluster of interest. Genres show it only coarsely: several themes share the same ones."""

    name: str
    share: float
    """Expected share of the catalogue; the shares need not sum to 1."""
    genres: tuple[tuple[str, float], ...]
    """(genre, probability that an item of the theme carries it)."""
    female: float
    """Added to the log-odds of having this interest if the person is a woman, subtracted if a man."""
    youth: float
    """Added at the youngest age band, subtracted at the oldest, linear between."""
    occupations: tuple[str, ...]
    """Occupations whose people lean towards the theme."""
    nouns: tuple[str, ...]
    """Words of its titles."""
    subjects: tuple[str, ...]
    events: tuple[str, ...]
    settings: tuple[str, ...]


THEMES = (
    Theme(
        "deep space", 9, (("Sci-Fi", 0.95), ("Action", 0.4), ("Adventure", 0.25), ("Thriller", 0.2)),
        -0.6, 0.3, ("programmer", "technician/engineer", "scientist"),
        ("Orbit", "Signal", "Beacon", "Hull", "Comet", "Relay", "Perigee", "Airlock"),
        ("A relay pilot", "The last crew of an ore freighter", "An android cook", "A radio astronomer"),
        ("answers a distress call", "loses two days of memory", "steals a starship", "decodes a broadcast"),
        ("beyond the charted moons", "aboard a drifting station", "on a planet without night", "near Saturn"),
    ),
    Theme(
        "chase and rescue", 10, (("Action", 0.95), ("Thriller", 0.5), ("Adventure", 0.3)),
        -0.7, 0.35, ("tradesman/craftsman", "technician/engineer", "sales/marketing"),
        ("Detonator", "Convoy", "Ricochet", "Piston", "Getaway", "Flashpoint", "Torque", "Payload"),
        ("A bomb disposal veteran", "A tow-truck driver", "An off-duty marshal", "A stunt pilot"),
        ("outruns a hired army", "has nine hours to free the hostages", "hijacks a train", "guards a witness"),
        ("across the flooded capital", "under the mountain pass", "on the coast highway", "through the docks"),
    ),
    Theme(
        "courtship", 10, (("Romance", 0.95), ("Comedy", 0.65), ("Drama", 0.4)),
        0.9, 0.0, ("clerical/admin", "homemaker", "customer service"),
        ("Valentine", "Bouquet", "Serenade", "Trousseau", "Elopement", "Sweetheart", "Waltz", "Proposal"),
        ("A wedding florist", "Two rival letter writers", "A widowed dance teacher", "A shy tailor"),
        ("falls for the wrong sibling", "agrees to a pretend engagement", "answers a lonely-hearts column",
         "meets an old flame"),
        ("during one rainy spring", "at a seaside hotel", "on the night ferry", "over a summer of weddings"),
    ),
    Theme(
        "workplace farce", 15, (("Comedy", 1.0), ("Drama", 0.15)),
        -0.1, 0.3, ("college/grad student", "sales/marketing", "customer service"),
        ("Memo", "Intern", "Stapler", "Payday", "Overtime", "Vending", "Cubicle", "Raffle"),
        ("A temp with a fake degree", "The worst salesman in the state", "Three night-shift cashiers",
         "A mailroom clerk"),
        ("is promoted by mistake", "must hide a goat from the auditor", "wins the wrong lottery",
         "impersonates the boss"),
        ("at a failing carpet firm", "during the office picnic", "in a suburban mall", "on inventory night"),
    ),
    Theme(
        "misfits on the road", 12, (("Comedy", 0.95), ("Drama", 0.5), ("Adventure", 0.1)),
        0.0, 0.5, ("college/grad student", "K-12 student", "unemployed"),
        ("Hitchhiker", "Motel", "Backseat", "Detour", "Jukebox", "Caravan", "Roadmap", "Tollbooth"),
        ("Two estranged cousins", "A failed rock band", "A runaway bridesmaid", "A trio of dropouts"),
        ("drive a stolen ice-cream van", "chase a rumour of treasure", "pick up a silent hitchhiker",
         "race to a reunion"),
        ("along the old interstate", "from motel to motel", "across four states", "through the salt flats"),
    ),
    Theme(
        "animal friends", 7, (("Children's", 0.95), ("Animation", 0.45), ("Comedy", 0.35), ("Musical", 0.25)),
        0.5, 0.2, ("homemaker", "K-12 student", "academic/educator"),
        ("Badger", "Puddle", "Burrow", "Acorn", "Duckling", "Hedgehog", "Pony", "Nutcake"),
        ("A timid badger", "An orphaned circus pony", "A clever duckling", "A boy and his talking goose"),
        ("sets out to find the sea", "saves the winter fair", "learns to sing", "outwits the fur merchant"),
        ("in the whispering wood", "behind the old dairy", "on a houseboat farm", "under the kitchen floor"),
    ),
    Theme(
        "haunted rooms", 11, (("Horror", 0.95), ("Thriller", 0.35), ("Mystery", 0.08)),
        -0.4, 0.6, ("K-12 student", "college/grad student", "artist"),
        ("Crypt", "Whisperer", "Attic", "Revenant", "Gallows", "Moth", "Cellar", "Poltergeist"),
        ("A night nurse", "The new caretaker", "A grieving couple", "Five students"),
        ("hears breathing behind the wall", "wakes a buried thing", "finds a door that was not there",
         "cannot leave the house"),
        ("in an empty sanatorium", "below the chapel", "at the boarded inn", "in the attic of a dead aunt"),
    ),
    Theme(
        "front lines", 6, (("War", 0.95), ("Drama", 0.6), ("Action", 0.35)),
        -0.6, -0.5, ("retired", "executive/managerial", "farmer"),
        ("Regiment", "Bugler", "Trench", "Armistice", "Sentry", "Battalion", "Outpost", "Bayonet"),
        ("A field surgeon", "A homesick bugler", "The remnant of a platoon", "A codebreaker's brother"),
        ("holds a bridge for six nights", "carries a letter through the lines", "refuses an order",
         "shelters an enemy soldier"),
        ("in the last winter of the war", "on a ruined island", "behind the retreat", "at the river crossing"),
    ),
    Theme(
        "crooked city", 9, (("Crime", 0.85), ("Thriller", 0.45), ("Film-Noir", 0.15), ("Drama", 0.45)),
        -0.3, -0.1, ("lawyer", "writer", "self-employed"),
        ("Alibi", "Racket", "Bagman", "Informer", "Forger", "Heist", "Pawnshop", "Kingpin"),
        ("A tired vice detective", "A safecracker on parole", "A crooked alderman", "The bagman's daughter"),
        ("plans one last robbery", "is framed for murder", "keeps two sets of books", "turns informer"),
        ("in the harbour district", "behind the racetrack", "on election night", "among the pawnshops"),
    ),
    Theme(
        "sealed envelope", 7, (("Mystery", 0.45), ("Thriller", 0.75), ("Film-Noir", 0.1), ("Drama", 0.2)),
        0.2, -0.4, ("academic/educator", "lawyer", "doctor/health care"),
        ("Cipher", "Locket", "Inquest", "Envelope", "Witness", "Codicil", "Fingerprint", "Riddle"),
        ("A provincial coroner", "An insurance investigator", "A blind piano tuner", "The family solicitor"),
        ("reopens a closed case", "receives a letter from a dead man", "doubts the only witness",
         "follows a trail of forged wills"),
        ("at a snowbound estate", "in a cathedral town", "aboard the evening express", "among nine heirs"),
    ),
    Theme(
        "frontier", 5, (("Western", 0.55), ("Adventure", 0.45), ("Action", 0.3), ("Drama", 0.25)),
        -0.5, -0.7, ("farmer", "retired", "tradesman/craftsman"),
        ("Saddle", "Prairie", "Stampede", "Claim", "Mesa", "Wrangler", "Dustbowl", "Homestead"),
        ("A half-blind tracker", "A widow with a land claim", "The youngest of four outlaws", "A horse doctor"),
        ("drives a herd north", "stands up to the railroad", "hunts a counterfeit preacher", "buries a feud"),
        ("in a silver-mining town", "over the burnt prairie", "beyond the last telegraph pole", "at Dry Fork"),
    ),
    Theme(
        "family rooms", 18, (("Drama", 1.0), ("Romance", 0.12)),
        0.4, -0.4, ("doctor/health care", "homemaker", "writer", "academic/educator"),
        ("Orchard", "Inheritance", "Daughters", "Quilt", "Homecoming", "Piano", "Supper", "Garden"),
        ("Three sisters", "An ageing schoolmaster", "A mother newly out of hospital", "A returning son"),
        ("sells the family orchard", "breaks a silence of twenty years", "learns to live alone",
         "cares for a failing father"),
        ("over one long autumn", "in a mill town", "around the kitchen table", "in the house by the canal"),
    ),
    Theme(
        "coming of age", 14, (("Drama", 0.95), ("Comedy", 0.25), ("Romance", 0.15)),
        0.2, 0.6, ("college/grad student", "K-12 student", "artist"),
        ("Bleachers", "Sophomore", "Locker", "Bonfire", "Bicycle", "Mixtape", "Diary", "Swimteam"),
        ("A teenage swimmer", "A scholarship student", "Two best friends", "A sixteen-year-old drummer"),
        ("grows up in a hurry", "keeps a dangerous secret", "runs away from school", "loses a first love"),
        ("the summer the mill closed", "at a boarding school", "in a harbour town", "before graduation"),
    ),
    Theme(
        "quest", 5, (("Fantasy", 0.35), ("Adventure", 0.75), ("Action", 0.3), ("Children's", 0.25)),
        -0.1, 0.5, ("programmer", "K-12 student", "college/grad student"),
        ("Dragonfly", "Amulet", "Oracle", "Griffin", "Wayfarer", "Sorcerer", "Runestone", "Talisman"),
        ("A ferryman's apprentice", "An exiled queen", "A thief with a borrowed name", "The last mapmaker"),
        ("seeks the drowned kingdom", "wakes a sleeping giant", "bargains with a river spirit",
         "carries a cursed crown"),
        ("past the edge of the map", "through the glass desert", "in an age of dragons", "over the ice bridge"),
    ),
    Theme(
        "limelight", 5, (("Musical", 0.4), ("Comedy", 0.45), ("Romance", 0.35), ("Drama", 0.3)),
        0.6, -0.5, ("artist", "homemaker", "retired"),
        ("Footlights", "Overture", "Chorus", "Understudy", "Matinee", "Tapdance", "Cabaret", "Encore"),
        ("A chorus girl", "A vaudeville duo", "The understudy", "A songwriter without a song"),
        ("gets one night on stage", "saves the old theatre", "writes a hit for a rival",
         "dances through bankruptcy"),
        ("in the last days of vaudeville", "between two opening nights", "on a paddle steamer", "on tour"),
    ),
    Theme(
        "field notes", 5, (("Documentary", 0.7), ("Drama", 0.25), ("War", 0.05)),
        0.1, -0.3, ("scientist", "academic/educator", "writer"),
        ("Lighthouse", "Glacier", "Beekeeper", "Archive", "Tideline", "Printworks", "Ferrymen", "Seedbank"),
        ("A film crew", "A retired surveyor", "Four generations of beekeepers", "The archive of a small town"),
        ("follows the herring fleet", "records a vanishing dialect", "counts the birds of one cliff",
         "rebuilds a wooden organ"),
        ("over eleven years", "in the far north", "with borrowed cameras", "using found footage"),
    ),
)  # fmt: skip
"""Order matters: row numbers of themes are part of the ground truth."""


@dataclass(frozen=True)
class Tone:
    """How a film tells its story. Shown by the wording of the description and by nothing else."""

    name: str
    female: float
    """As of a Theme."""
    youth: float
    """As of a Theme."""
    adjectives: tuple[str, ...]
    closings: tuple[str, ...]


TONES = (
    Tone("tender", 0.7, -0.2, ("tender", "gentle", "warm-hearted", "affectionate"),
         ("full of small kindnesses", "told with great warmth", "soft as a lullaby")),
    Tone("wry", 0.3, 0.0, ("wry", "dry", "sardonic", "knowing"),
         ("with one eyebrow raised", "fond of deadpan irony", "sharp in its satire")),
    Tone("absurd", -0.2, 0.7, ("absurd", "zany", "madcap", "ludicrous"),
         ("piling nonsense upon nonsense", "gleefully out of its mind", "where no logic survives")),
    Tone("rousing", -0.2, 0.6, ("rousing", "triumphant", "exuberant", "spirited"),
         ("built to make a crowd cheer", "ending in glorious victory", "bursting with energy")),
    Tone("tense", -0.5, 0.3, ("tense", "nerve-racking", "breathless", "taut"),
         ("tightening like a wire", "leaving no room to breathe", "suspenseful to the last minute")),
    Tone("brutal", -0.7, 0.2, ("brutal", "savage", "bloody", "merciless"),
         ("sparing nobody", "unflinching in its violence", "raw and hard to watch")),
    Tone("bleak", -0.1, -0.5, ("bleak", "sombre", "mournful", "desolate"),
         ("heavy with grief", "without much hope", "grey as a winter funeral")),
    Tone("dreamlike", 0.5, -0.6, ("dreamlike", "hypnotic", "surreal", "floating"),
         ("drifting between sleep and waking", "slow as a trance", "more vision than story")),
)  # fmt: skip
"""On a circle: neighbours are alike, opposites repel. Women lean to one side, the young to another."""

STYLES = 8
"""Number of visual styles, also on a circle (see poster.py). Shown by the poster and by nothing else."""

AGE_BANDS = ("Under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+")
