"""A shop that runs on Celery: its tasks, as its own worker runs them, and its calls, as a test asks for them.

Asked for by the tests a JSON list [what, argument...] a line, answered a line. BROKER_URL says where Redis is, KEY_PREFIX
what stands before every key.
"""
import json
import os
import sys
from datetime import datetime, timezone
from decimal import Decimal
from uuid import UUID

from celery import Celery, chain, chord, group

options = {"global_keyprefix": os.environ["KEY_PREFIX"]}
app = Celery("shop", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.update(
    broker_transport_options=options,
    result_backend_transport_options=options,
    broker_connection_retry_on_startup=True,
    task_routes={"shop.*": {"queue": "shop"}},
)
PATIENCE = 60
NOOP = "log_monitor_system.apps.core.tasks.noop"
# Keys that tasks of the shop leave something under.
CHECKS, NOTES = os.environ["KEY_PREFIX"] + "checks", os.environ["KEY_PREFIX"] + "notes"


@app.task(name=NOOP)
def noop(value):
    return value


@app.task(name="log_monitor_system.apps.core.tasks.check_error_logs")
def check_error_logs():
    app.backend.client.incr(CHECKS)
    return 0


@app.task(name="shop.add")
def add(x, y):
    return x + y


@app.task(name="shop.total")
def total(numbers):
    return sum(numbers)


@app.task(name="shop.fail")
def fail(*_):
    raise ValueError("kaput")


@app.task(name="shop.request", bind=True)
def request(self, *_):
    """What its message says of it."""
    info = self.request
    return [info.stamps, info.delivery_info["priority"], info.expires is not None, info.root_id == info.parent_id]


@app.task(name="shop.note")
def note(*args):
    """Keeps what it was called with, each call once."""
    app.backend.client.rpush(NOTES, json.dumps(args))
    return args


@app.task(name="shop.failed")
def failed(task_id, what):
    """An errback as every worker calls it: with the failed task's id."""
    note(task_id, what)


# Celery routes what it sends itself; what another worker sends on is routed by what the signature says.
def at_shop(task, *args):
    return task.s(*args).set(queue="shop")


def ours(*args):
    """A signature of LogMon's task."""
    return app.signature(NOOP, args=args, queue="celery")


def unknown(*args):
    return app.signature("nobody.knows", args=args, queue="celery")


def stamped():
    options = {"priority": 6, "countdown": 0.2, "expires": 60}
    canvas = chain(ours(1), at_shop(request).set(**options))
    canvas.stamp(tenant="t9")
    return canvas


CANVASES = {
    "stamped": stamped,
    "noted_chord": lambda: chord([ours(n) for n in range(10)], at_shop(note)),
    "chain": lambda: chain(ours(1), at_shop(add, 2), ours(), at_shop(add, 3)),
    "immutable": lambda: chain(ours(1), app.signature(NOOP, args=[9], queue="celery", immutable=True)),
    "link": lambda: ours(1).set(link=[at_shop(note, "a"), at_shop(note, "b")]),
    "link_error": lambda: unknown().set(link_error=[at_shop(failed, "failed")]),
    "group": lambda: group(ours(1), at_shop(add, 1, 1), ours(3)),
    "chord": lambda: chord([ours(1), at_shop(add, 1, 1), ours(3)], at_shop(total)),
    "chord_to_ours": lambda: chord([at_shop(add, 1, 1), ours(3)], ours()),
    "large_chord": lambda: chord([ours(n) for n in range(60)], at_shop(total)),
    "upgraded": lambda: chain(ours(1), group(at_shop(add, 1), at_shop(add, 2)), ours(), at_shop(total), ours()),
    "nested": lambda: chord([chain(ours(1), group(ours(), at_shop(add, 5))), ours(7)], ours()),
    "chord_in_chord": lambda: chord([chord([ours(1), ours(2)], at_shop(total)), ours(4)], at_shop(total)),
    "group_last": lambda: chain(ours(1), group(ours(), at_shop(add, 1))),
    "body_chain": lambda: chord([ours(1), ours(2)], chain(at_shop(total), ours(), at_shop(add, 10))),
    "empty_header": lambda: chain(ours([]), at_shop(total)),
    "group_of_ours": lambda: group(ours(1), ours(2)),
    "chord_of_ours": lambda: chord([ours(1), ours(2)], ours()),
    "chain_fails": lambda: chain(ours(1), unknown(), ours()),
    "chain_fails_at_shop": lambda: chain(ours(1), at_shop(fail), ours()),
    "chord_fails": lambda: chord([ours(1), unknown(), at_shop(add, 1, 1)], ours().set(link_error=[at_shop(failed, "chord")])),
    "chord_fails_at_shop": lambda: chord([ours(1), at_shop(fail)], chain(ours(), ours())),
}


def outcome(result):
    try:
        return {"value": result.get(timeout=PATIENCE)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "id": result.id}


def run(canvas):
    """What a canvas comes to."""
    return outcome(CANVASES[canvas]().apply_async())


def cast(canvas, count):
    """Sends a canvas so often, and waits for nothing."""
    for _ in range(count):
        CANVASES[canvas]().apply_async()


def send(args, options):
    """Sends LogMon's task and gives its id."""
    return app.send_task(NOOP, args=args, **options).id


VALUES = {
    "inf": [float("inf"), float("-inf")],
    "nan": float("nan"),
    "big": 10**30,
    "float": [0.1, 1e300, 1.0, -0.0],
    "extended": [datetime(2030, 1, 2, tzinfo=timezone.utc), b"ab", b"\xff\x00", Decimal("1.50"), UUID(int=5)],
    "text": "支付 🚨 \u0000 \ud800 \" \\ </script>",
}


def echo(name):
    """Whether a value comes back from LogMon's task as it was sent; or why it does not."""
    result = outcome(app.send_task(NOOP, args=[VALUES[name]]))
    return result.get("error") or repr(result["value"]) == repr(VALUES[name]) or repr(result["value"])


def send_named(task, options):
    return app.send_task(task, **options).id


def get(task_id):
    return outcome(app.AsyncResult(task_id))


def state(task_id):
    return app.AsyncResult(task_id).state


def meta(task_id):
    """The document as it is stored."""
    return json.loads(app.backend.get(app.backend.get_key_for_task(task_id)) or "null")


def children(canvas):
    """The results that a canvas's first result leads to."""
    first = CANVASES[canvas]().apply_async()
    while first.parent:
        first = first.parent
    first.get(timeout=PATIENCE)
    return [repr(child) for child in first.children]


def notes(*_):
    return sorted(note.decode() for note in app.backend.client.lrange(NOTES, 0, -1))


def checks(*_):
    return int(app.backend.client.get(CHECKS) or 0)


def revoke(task_id):
    app.control.revoke(task_id)


if __name__ == "__main__":
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        print(json.dumps(globals()[what](*arguments), default=str), flush=True)
