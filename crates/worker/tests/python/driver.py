"""What Celery's own client does, for a test that asks: a JSON list [what, argument...] a line in, an answer a line out."""
import json
import sys
import threading

from celery_app import app
from celery.worker.control import Panel

# A worker that is meant answers at once; the others are not waited for.
PATIENCE = 60
received = []
state = app.events.State()


def inspect(node, method, arguments):
    """app.control.inspect, as `celery inspect` uses it: the worker's reply."""
    replies = app.control.inspect(destination=[node], timeout=PATIENCE)._request(method, **arguments)
    return replies[node]


def heard(node):
    """Waits until a worker of Python's hears requests: it says that it is ready a moment before."""
    return any(app.control.inspect(destination=[node], timeout=1).ping() for _ in range(PATIENCE))


def control(node, method, arguments):
    """app.control.broadcast, as `celery control` uses it: the worker's reply."""
    replies = app.control.broadcast(method, arguments=arguments, destination=[node], reply=True, timeout=PATIENCE)
    return replies[0][node]


def cast(method, options):
    """A broadcast that wants no reply."""
    app.control.broadcast(method, **options)


def broadcast(method, options):
    """A broadcast to whoever fits; its replies, of which there are as many as `limit` says."""
    return app.control.broadcast(method, reply=True, timeout=PATIENCE, **options)


def commands(*_):
    """Every command that Celery's own worker knows."""
    return sorted(Panel.data)


def send(name, args, options):
    return app.send_task(name, args=args, **options).id


def get(task_id):
    result = app.AsyncResult(task_id)
    try:
        return {"value": result.get(timeout=PATIENCE)}
    except Exception as error:
        return {"error": repr(error), "state": result.state}


def listen(*_):
    """Captures events from now on, as `celery events` and Flower do."""
    ready = threading.Event()

    def capture():
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": note})
            consumer = receiver.itercapture(limit=None, timeout=None, wakeup=True)
            on_ready = receiver.on_consume_ready
            receiver.on_consume_ready = lambda *args, **kwargs: (on_ready(*args, **kwargs), ready.set())
            for _ in consumer:
                pass

    def note(event):
        state.event(event)
        received.append(event)

    threading.Thread(target=capture, daemon=True).start()
    return ready.wait(PATIENCE)


def events(*_):
    return received


def worker(node):
    """A worker as Celery's State has it."""
    found = state.workers.get(node)
    return found and {
        "alive": found.alive, "active": found.active, "processed": found.processed, "ident": found.sw_ident,
        "freq": found.freq, "pid": found.pid, "loadavg": found.loadavg,
    }


def task(task_id):
    """A task as Celery's State has it."""
    found = state.tasks.get(task_id)
    return found and {
        "state": found.state, "name": found.name, "args": found.args, "kwargs": found.kwargs, "result": found.result,
        "exception": found.exception, "retries": found.retries, "worker": found.hostname, "runtime": found.runtime,
        "root_id": found.root_id, "parent_id": found.parent_id, "sent": found.sent, "received": found.received, "started": found.started,
    }


for line in sys.stdin:
    what, *arguments = json.loads(line)
    print(json.dumps(globals()[what](*arguments), default=str), flush=True)
