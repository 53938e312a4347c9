"""Who is in the audience: shares of gender, age and occupation, first names, and zip prefixes by state.

Shares are the published aggregates of MovieLens-1M (Harper and Konstan, 2015); state weights are rounded
populations of the 2000 US census (millions), prefixes are the US Postal Service's sectional centres.
"""

from __future__ import annotations

GENDERS = {"F": 0.283, "M": 0.717}

AGES = {
    "Under 18": 0.037,
    "18-24": 0.183,
    "25-34": 0.347,
    "35-44": 0.198,
    "45-49": 0.091,
    "50-55": 0.082,
    "56+": 0.062,
}

OCCUPATIONS: dict[str | None, float] = {
    None: 0.118,
    "academic/educator": 0.087,
    "artist": 0.044,
    "clerical/admin": 0.029,
    "college/grad student": 0.126,
    "customer service": 0.019,
    "doctor/health care": 0.039,
    "executive/managerial": 0.112,
    "farmer": 0.003,
    "homemaker": 0.015,
    "K-12 student": 0.032,
    "lawyer": 0.021,
    "programmer": 0.064,
    "retired": 0.024,
    "sales/marketing": 0.05,
    "scientist": 0.024,
    "self-employed": 0.04,
    "technician/engineer": 0.083,
    "tradesman/craftsman": 0.012,
    "unemployed": 0.012,
    "writer": 0.046,
}
"""MovieLens-1M's words in the order of its codes; None is its code 0, "other or not specified"."""

FIRST_NAMES = {
    "F": (
        "Abigail", "Adriana", "Alice", "Amara", "Beatrice", "Bianca", "Carmen", "Cecilia", "Chloe", "Clara",
        "Daphne", "Deborah", "Denise", "Edith", "Elena", "Estelle", "Fatima", "Florence", "Gloria", "Grace",
        "Hannah", "Harriet", "Imani", "Irene", "Ivy", "Joan", "Juanita", "Keiko", "Lakshmi", "Latoya",
        "Louise", "Lucinda", "Mabel", "Marisol", "Martha", "Mei", "Miriam", "Nadia", "Naomi", "Olive",
        "Patricia", "Phyllis", "Priya", "Rachel", "Rosa", "Ruth", "Simone", "Sylvia", "Teresa", "Yvonne",
    ),
    "M": (
        "Aaron", "Ahmed", "Albert", "Alejandro", "Andre", "Anthony", "Arjun", "Bernard", "Brendan", "Calvin",
        "Carlos", "Cedric", "Clarence", "Cyrus", "Darnell", "Desmond", "Diego", "Dmitri", "Edgar", "Elliott",
        "Ernesto", "Felix", "Francis", "Gerald", "Gilbert", "Gordon", "Hassan", "Hector", "Hiroshi", "Howard",
        "Isaac", "Jerome", "Julian", "Kenji", "Lamar", "Leonard", "Luis", "Malcolm", "Marcus", "Mohan",
        "Nathan", "Oliver", "Omar", "Patrick", "Quincy", "Rafael", "Raymond", "Samuel", "Theodore", "Wei",
    ),
}  # fmt: skip

STATE_PREFIXES: dict[str, tuple[float, str]] = {
    "AL": (4.4, "352 361 366"), "AK": (0.6, "995 997"), "AZ": (5.1, "850 852 857"), "AR": (2.7, "722"),
    "CA": (33.9, "900 913 921 926 941 945 951"), "CO": (4.3, "802 803 809"), "CT": (3.4, "061 065"),
    "DE": (0.8, "198"), "DC": (0.6, "200"), "FL": (16.0, "322 328 336"), "GA": (8.2, "300 303 314"),
    "HI": (1.2, "968"), "ID": (1.3, "837"), "IL": (12.4, "600 606 627"), "IN": (6.1, "462 468 474"),
    "IA": (2.9, "503 522"), "KS": (2.7, "672"), "KY": (4.0, "402 405"), "LA": (4.5, "708"),
    "ME": (1.3, "041"), "MD": (5.3, "212"), "MA": (6.3, "010 021"), "MI": (9.9, "481 482 495"),
    "MN": (4.9, "551 554 558"), "MS": (2.8, "392"), "MO": (5.6, "631 641"), "MT": (0.9, "591 598"),
    "NE": (1.7, "681 685"), "NV": (2.0, "891 895"), "NH": (1.2, "031 038"), "NJ": (8.4, "070 080"),
    "NM": (1.8, "871 875"), "NY": (19.0, "100 112 122 142 148"), "NC": (8.0, "275 276 282"),
    "ND": (0.6, "581"), "OH": (11.4, "432 441 452"), "OK": (3.5, "731 741"), "OR": (3.4, "972 974"),
    "PA": (12.3, "152 191"), "RI": (1.0, "029"), "SC": (4.0, "292 294"), "SD": (0.8, "571"),
    "TN": (5.7, "372 381"), "TX": (20.9, "750 770 782 787"), "UT": (2.2, "841"), "VT": (0.6, "054"),
    "VA": (7.1, "223 229"), "WA": (5.9, "980 981 992"), "WV": (1.8, "253 265"), "WI": (5.4, "532 537"),
    "WY": (0.5, "820"),
}  # fmt: skip
"""State -> (weight, first three zip digits of its larger places)."""
