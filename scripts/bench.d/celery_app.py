"""The empty task for a worker of Celery, and the filling of a queue. Run by scripts/bench.

usage: python celery_app.py COUNT    puts so many calls of the task on its queue
"""

import json
import os
import sys
import uuid

import celery

NAME = "log_monitor_system.apps.core.tasks.noop"

app = celery.Celery("bench", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])


@app.task(name=NAME)
def noop(value=None):
    return value


def fill(count):
    """A producer of Celery sends some thousand a second, so one message of its is copied under other ids."""
    connection = app.backend.client
    connection.delete("celery")
    first = noop.apply_async(args=["x"])
    message = json.loads(connection.lpop("celery"))
    pipe = connection.pipeline(transaction=False)
    for number in range(count):
        task, tag = str(uuid.uuid4()), str(uuid.uuid4())
        message["headers"].update(id=task, root_id=task)
        message["properties"].update(correlation_id=task, delivery_tag=tag)
        pipe.lpush("celery", json.dumps(message))
        if number % 1000 == 999:
            pipe.execute()
    pipe.execute()
    connection.delete(f"celery-task-meta-{first.id}")


if __name__ == "__main__":
    fill(int(sys.argv[1]))
