"""The calls that scripts/bench query measures, and what each has to answer."""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

PAGE = 100
DAY = timedelta(days=1)


@dataclass
class Call:
    name: str
    wanted_ms: int
    addresses: list
    # Says what is wrong with the answer to one of the addresses, or nothing.
    problem: object


@dataclass
class Filled:
    """What the filling made."""

    logs: int
    apps: int
    start: datetime
    end: datetime
    needles: list

    @classmethod
    def read(cls, path):
        with open(path) as file:
            made = json.load(file)
        start, end = (datetime.fromisoformat(made[key]) for key in ("start", "end"))
        return cls(made["logs"], made["apps"], start, end, made["needles"])


def address(path="", **fields):
    fields = {key: stamp(value) if isinstance(value, datetime) else value for key, value in fields.items()}
    return f"/api/logs/{path}" + (f"?{urlencode(fields, doseq=True)}" if fields else "")


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def filters(filled):
    """The name of each kind of filter, and filters of that kind. Each first one has logs for 10,000 pages."""
    days = [dict(since=filled.end - DAY * (n + 1), until=filled.end - DAY * n) for n in range(10)]
    most = dict(since=filled.start + DAY, until=filled.end - DAY)
    levels, apps = ["INFO", "WARN", "ERROR"], range(1, filled.apps + 1)
    return {
        "nothing": [{}],
        "level": [dict(level=level) for level in levels],
        "app": [dict(app=app) for app in apps],
        "app and level": [dict(app=app, level=level) for app in apps for level in levels],
        "range": [most, *days],
        "range, oldest first": [dict(order="asc", **one) for one in (most, *days)],
        "several apps and levels": [dict(app=[1, 4, 20], level=["INFO", "ERROR"]), dict(app=[2, 3], level=["WARN", "ERROR"])],
        "range, app and level": [
            dict(app=1, level="INFO", **most),
            *(dict(app=app, level=level, **day) for day in days for app in (1, 4, 20) for level in levels),
        ],
    }


def newest(filled):
    for kind, of in filters(filled).items():
        yield Call(f"newest page of {kind}", 50, [address(**one) for one in of], matches)


def matches(answer, asked):
    """What is wrong with a page, or nothing."""
    if not answer:
        return "no logs"
    keys = [(row["created_at"], row["id"]) for row in answer]
    if keys != sorted(set(keys), reverse=asked.get("order") != ["asc"]):
        return "not in order, or one twice"
    for row in answer:
        if "app" in asked and str(row["app"]) not in asked["app"] or "level" in asked and row["level"] not in asked["level"]:
            return "another app or level"
        if "since" in asked and row["created_at"] < asked["since"][0][:19]:
            return "a log before the range"
        if "until" in asked and row["created_at"][:19] >= asked["until"][0][:19]:
            return "a log after the range"
    return None


def single(filled):
    ids = random.Random(1).sample(range(1, filled.logs), 500)
    has_id = lambda answer, _: None if answer.get("id") == ids[0] else "another log"
    has_some = lambda answer, _: None if answer else "nothing"
    yield Call("one log", 50, [address(f"{id}/") for id in ids], has_id)
    yield Call("its context", 50, [address(f"{id}/context/") for id in ids], has_some)


def histograms(filled):
    end, hour = filled.end, timedelta(hours=1)
    whole = dict(since=filled.start, until=end)
    has_some = lambda answer, _: None if answer else "nothing"
    month = [address("histogram/", **whole), *(address("histogram/", app=app, **whole) for app in (1, 7, 20))]
    yield Call("histogram of 30 days", 100, month, has_some)
    hours = [address("histogram/", since=end - hour * (n + 1), until=end - hour * n) for n in range(24)]
    yield Call("histogram of an hour", 20, hours, has_some)


def searches(filled):
    """The needles, each in one day of its app, and in one of everything."""
    days = [(filled.end - DAY * (n + 1), filled.end - DAY * n) for n in range(3)]
    for needle in filled.needles:
        def finds(answer, _, wanted=needle["a_day"]):
            return None if len(answer) == wanted else f"{len(answer)} logs instead of {wanted}"

        for over, bound, of in (("of its app", 300, {"app": needle["app"]}), ("of everything", 1500, {})):
            asked = [address(q=needle["q"], since=since, until=until, **of) for since, until in days]
            yield Call(f"q, {needle['name']}: a day {over}", bound, asked, finds)
