"""Phrases of the embedded data set. Nothing here is graphic, and no phrase names a method of self-harm.

A predicate has the same form for every subject (`i`, `they`, `my cousins`), so the label of a text depends on the words
around its predicates. `{...}` is filled from `SLOTS`.
"""

from __future__ import annotations

PREDICATES: dict[str, tuple[str, ...]] = {
    "depression": (
        "feel empty for most of the {day_part}",
        "see no point in {activity}",
        "have no energy left for {activity}",
        "lie in bed until late in the {day_part}",
        "lose interest in {activity}",
        "feel worthless next to {people}",
        "cry without a reason in the {day_part}",
        "want to hide from {people}",
        "take no joy in {activity}",
        "feel heavy and slow at {place}",
        "stay behind closed curtains all {day_part}",
        "think nothing will change at {place}",
    ),
    "anxiety": (
        "feel panic rise at {place}",
        "worry all {day_part} about {worry}",
        "check {worry} again and again",
        "have a racing heart before {activity}",
        "tremble when {people} call",
        "expect the worst about {worry}",
        "avoid {place} out of fear",
        "rehearse every word for {people}",
        "go over {worry} until the {day_part} is gone",
        "cannot breathe well at {place}",
        "feel on edge around {people}",
        "dread {activity} for days",
    ),
    "suicidal": (
        "think about not being here next {season}",
        "wish to fall asleep and never see another {season}",
        "believe {people} would be better off after the goodbye",
        "want everything to end this {season}",
        "write goodbye letters to {people}",
        "see no future after this {season}",
        "think about ending it all in the {day_part}",
        "feel done with being alive at {place}",
        "give belongings away to {people} for good",
        "no longer want to live through the {day_part}",
        "picture the world going on without me and {people} moving on",
        "ask what would keep anyone alive until {season}",
    ),
    "normal": (
        "look forward to {activity}",
        "sleep well and get up early in the {day_part}",
        "laugh a lot with {people}",
        "enjoy {activity}",
        "plan a trip with {people} for {season}",
        "feel calm about {worry}",
        "take {worry} lightly",
        "feel at home at {place}",
        "have a good time at {place}",
        "get better at {activity}",
        "cook for {people} in the {day_part}",
        "make plans for {season}",
    ),
}
"""Predicates by label."""

SLOTS: dict[str, tuple[str, ...]] = {
    "activity": (
        "cooking", "the guitar", "running", "football", "painting", "reading", "the garden", "my studies", "chess",
        "the morning shift", "swimming", "baking", "the choir", "photography", "language class", "cycling",
    ),
    "place": (
        "work", "school", "the office", "home", "the library", "the gym", "the station", "church", "the market",
        "the clinic", "university", "the cafe", "the bus stop", "the shop", "the workshop", "the lake",
    ),
    "people": (
        "my parents", "my friends", "my colleagues", "the neighbours", "my teachers", "my flatmates", "strangers",
        "my relatives", "my classmates", "the team", "my children", "customers",
    ),
    "worry": (
        "the rent", "the exam", "the deadline", "the test results", "the bills", "the interview", "the flight",
        "the locks", "the emails", "the driving test", "the tax letter", "the presentation",
    ),
    "day_part": ("morning", "evening", "afternoon", "night", "weekend", "day"),
    "season": ("spring", "summer", "autumn", "winter", "year", "month", "week", "birthday"),
    "other": (
        "my sisters", "my parents", "two of my friends", "my cousins", "my flatmates", "the people in my group",
        "my brothers", "both my aunts", "some of my colleagues", "the girls from my class", "my grandparents",
        "the others on this forum",
    ),
    "filler": (
        "and it rained on {weekday}", "the train was late on {weekday}", "{other_pet} needs a new collar",
        "i moved to a smaller flat in {season}", "we had soup and bread for dinner on {weekday}",
        "my phone is {number} years old now", "the meeting took {number} hours", "i am {number} years into this job",
        "the neighbours painted their fence on {weekday}", "there is a new bakery next to {place}",
        "i read a long article on {weekday}", "the bus to {place} costs more since {season}",
        "my contract runs until {season}", "i live about {number} minutes from {place}",
        "sorry for the long post", "this is my first time writing here", "i do not know where else to put this",
        "thanks to everyone who reads this", "english is not my first language", "long story short",
    ),
    "other_pet": ("the cat", "the dog", "our rabbit", "the old horse"),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "number": ("two", "three", "four", "five", "six", "ten", "twenty", "thirty"),
}  # fmt: skip
"""Words that fill a `{...}`, by its kind."""

NOW = (
    "i {often} {it}", "lately i {often} {it}", "these days i {often} {it}", "i notice that i {often} {it}",
    "since {season} i {often} {it}", "to be honest i {often} {it}", "i {often} {it} these days",
)  # fmt: skip
"""True of the author now: decides the label."""

OTHERS = (
    "{other} {often} {it}", "lately {other} {often} {it}", "these days {other} {often} {it}",
    "i notice that {other} {often} {it}", "since {season} {other} {often} {it}", "to be honest {other} {often} {it}",
    "i read how {other} {often} {it}",
)  # fmt: skip
"""About other people."""

PAST = (
    "i used to {it}", "as a child i would {often} {it}", "years ago i would {often} {it}",
    "before therapy i used to {it}", "back in school i would {often} {it}", "i no longer {it} like last {season}",
)  # fmt: skip
"""About the author in the past."""

NEGATED = (
    "i do not {it}", "i never {it}", "it is not that i {often} {it}", "nobody can say that i {it}",
    "i would lie if i said that i {often} {it}", "my doctor asked whether i {it} and i do not",
)  # fmt: skip
"""Negated."""

CONTRAST = (
    "it is not that i {often} {away}, it is that i {often} {it}",
    "i {often} {it}, it is not that i {often} {away}",
    "{other} {often} {away} but i {often} {it}",
    "i {often} {it} but {other} {often} {away}",
    "i used to {away} and now i {often} {it}",
    "now i {often} {it} though i used to {away}",
)  # fmt: skip
"""Two predicates in one sentence; `it` decides the label, `away` does not."""

OFTEN = ("still", "always", "just", "really", "mostly", "often", "simply", "again", "sometimes", "honestly")
