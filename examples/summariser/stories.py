"""News that writes itself: a story of four to seven sentences, and the summary that an editor would give it.

    text, summary = story(random.Random(1))

The summary's facts stand in different sentences and words of the story, among others that it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple


def listed(names: str) -> list[str]:
    return names.split()


FIRST = listed("""
    Anna Ben Clara David Elena Felix Greta Hugo Ines Jakob Karin Leo Maria Nils Olga Paul Rosa Simon Tara Victor Wanda
    Yusuf Zoe Amir Bianca Carlos Diana Erik Fatima Georg Hana Ivan Julia Kofi Lena Marco Nadia Omar Petra Quentin
""")
LAST = listed("""
    Abbott Becker Costa Dubois Ekström Fischer Garcia Hansen Ito Jensen Kowalski Lopez Moreau Novak Okafor Petrov Quist
    Rossi Santos Tanaka Ullman Varga Weber Xu Young Zimmer Alder Brandt Cohen Duarte Engel Ferrari Grant Horvat Iversen
    Jonas Keller Lindgren Meyer Nowak
""")
PLACES = listed("""
    Ashford Brindle Carrow Dunmore Eastvale Fernley Glenholt Harwick Inverley Kelso Langford Marlow Norton Oakham
    Penrith Quarrydale Redhill Stanford Thornbury Upton Verwood Westbrook Yarm Aldgate Briarton Coldwater Deeping
    Elmsworth Foxton Greyport
""")
FIRMS = listed("""
    Acorn Borealis Cobalt Dynamo Everest Falcon Granite Horizon Indigo Juniper Kestrel Lumen Meridian Nimbus Orchid
    Pioneer Quartz Raven Solstice Tundra Umbra Vertex Willow Zenith
""")
TRADES = listed("Motors Foods Energy Textiles Software Shipping Pharma Steel Airlines Bank")
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Story(NamedTuple):
    text: str
    summary: str


def story(random: Random) -> Story:
    return random.choice(KINDS)(random)


def earnings(random: Random) -> Story:
    firm, boss, day = company(random), person(random), random.choice(DAYS)
    up, percent, revenue, jobs = (
        random.random() < 0.5,
        random.randint(2, 68),
        random.randint(3, 980),
        10 * random.randint(2, 90),
    )
    told = random.random() < 0.6  # of jobs
    lead = random.choice([
        f"{firm} said on {day} that its profit {'rose' if up else 'fell'} by {percent} percent in the last quarter.",
        f"Profit at {firm} {'climbed' if up else 'dropped'} {percent} percent in three months, it was said on {day}.",
    ])  # fmt: skip
    money = random.choice([
        f"Revenue came to {revenue} million euros.",
        f"The company, which has its seat in {random.choice(PLACES)}, took in {revenue} million euros.",
    ])  # fmt: skip
    staff = random.choice(
        [f"It plans to hire {jobs} people before the end of the year.", f"Some {jobs} new positions will be created."]
        if up
        else [f"It will cut {jobs} jobs to save costs.", f"As many as {jobs} employees are to lose their positions."]
    )
    beside = [
        random.choice([
            f"Chief executive {boss} spoke of a {'strong' if up else 'difficult'} season.",
            f'"We are {"pleased" if up else "not satisfied"}," said {boss}, who leads the company.',
        ]),
        random.choice([
            f"Shares {'gained' if up else 'lost'} {random.randint(1, 9)} percent in early trading.",
            f"Analysts had {'expected less' if up else 'hoped for more'}.",
        ]),
        random.choice(["The results were not audited.", f"The next report is due on a {random.choice(DAYS)}."]),
    ]  # fmt: skip
    summary = f"Profit at {firm} went {'up' if up else 'down'} {percent} percent on sales of {revenue} million euros"
    summary += f", and it will {'add' if up else 'shed'} {jobs} jobs." if told else "."
    return Story(written(random, lead, [money, staff] if told else [money], beside), summary)


def match(random: Random) -> Story:
    winner, loser = random.sample(PLACES, 2)
    lost, won = sorted(random.sample(range(7), 2))
    who, goals, crowd, day = person(random), random.randint(1, won), random.randint(2, 90), random.choice(DAYS)
    lead = random.choice([
        f"{winner} won {won}:{lost} against {loser} on {day}.",
        f"On {day} {loser} lost {lost}:{won} to {winner}.",
        f"{loser} had no luck against {winner}, who took the match by {won} goals to {lost}.",
    ])  # fmt: skip
    star = random.choice([
        f"{who} scored {goals} of the goals for the winners.",
        f"The best player was {who}, who put the ball into the net {goals} {'time' if goals == 1 else 'times'}.",
    ])  # fmt: skip
    beside = [
        random.choice([
            f"About {crowd} thousand people watched.",
            f"The stadium in {random.choice([winner, loser])} held {crowd} thousand spectators.",
        ]),
        random.choice(["Rain made the grass heavy.", "The referee showed two yellow cards.", "It was a warm evening."]),
        random.choice([f"Coach {person(random)} praised the team.", f"The next match is on {random.choice(DAYS)}."]),
    ]  # fmt: skip
    summary = f"{winner} beat {loser} {won}:{lost} with {goals} {'goal' if goals == 1 else 'goals'} from {who}."
    return Story(written(random, lead, [star], beside), summary)


def disaster(random: Random) -> Story:
    place, day, mayor = random.choice(PLACES), random.choice(DAYS), person(random)
    size, homes, hurt = random.randint(60, 190), random.randint(2, 95), random.randint(0, 30)
    kind, lead = random.choice([
        ("storm", f"Winds of up to {size} kilometres an hour tore across {place} on {day}."),
        ("flood", f"The river rose over its banks in {place} on {day} after {size} millimetres of rain."),
        ("blizzard", f"Snow of {size} centimetres fell on {place} on {day}."),
        ("fire", f"Flames spread over {size} hectares of forest near {place} on {day}."),
    ])  # fmt: skip
    power = random.choice([
        f"Some {homes} thousand homes were without electricity.",
        f"Power failed in {homes} thousand households.",
    ])  # fmt: skip
    people = random.choice(
        [f"Doctors treated {hurt} people.", f"{hurt} residents were taken to hospital."]
        if hurt
        else ["Nobody was hurt.", "There were no injuries."]
    )
    beside = [
        random.choice(["Schools stay closed tomorrow.", "Trains were late for hours."]),
        random.choice([
            f"Mayor {mayor} thanked the helpers.",
            f'"We have not seen this for {random.randint(5, 60)} years," said mayor {mayor}.',
        ]),
        random.choice(["Insurers expect many claims.", "The weather service expects calmer days."]),
    ]  # fmt: skip
    injured = f"{hurt} people" if hurt > 1 else "one person" if hurt else "nobody"
    summary = f"A {kind} in {place} left {homes} thousand homes without power and {injured} injured."
    return Story(written(random, lead, [power, people], beside), summary)


def appointment(random: Random) -> Story:
    old, new, firm = person(random), person(random), company(random)
    years, age = random.randint(2, 30), random.randint(33, 66)
    lead = random.choice([
        f"{firm} has named {new} as its new head.",
        f"{new} will lead {firm}, the company announced on {random.choice(DAYS)}.",
    ])  # fmt: skip
    who = random.choice([
        f"The {age} year old follows {old}, who leaves after {years} years.",
        f"{old} retires after {years} years at the top; {new} is {age}.",
    ])  # fmt: skip
    beside = [
        random.choice([f"The change takes place on {random.choice(DAYS)}.", "The board voted without dissent."]),
        random.choice([f"{new} comes from {company(random)}.", f"{new} grew up in {random.choice(PLACES)}."]),
        random.choice(["The price of the share hardly moved.", "Staff were told by letter."]),
    ]
    return Story(written(random, lead, [who], beside), f"{new} replaces {old}, who ran {firm} for {years} years.")


KINDS: tuple[Callable[[Random], Story], ...] = (earnings, match, disaster, appointment)


def person(random: Random) -> str:
    return f"{random.choice(FIRST)} {random.choice(LAST)}"


def company(random: Random) -> str:
    return f"{random.choice(FIRMS)} {random.choice(TRADES)}"


def written(random: Random, lead: str, facts: Sequence[str], beside: Sequence[str]) -> str:
    """The lead, then the facts and one to three of the other sentences in any order."""
    rest = [*facts, *random.sample(beside, random.randint(1, 3))]
    return " ".join([lead, *random.sample(rest, len(rest))])
