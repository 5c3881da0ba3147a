"""A worker that acknowledges late and forgets soon. Its noop never ends, unless the task is called `quick`."""
import time

from celery.utils.log import get_task_logger
from celery_app import app

# It looks every second for what is older than two.
forget = {"visibility_timeout": 2, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
app.conf.broker_transport_options = {**app.conf.broker_transport_options, **forget}
app.conf.task_acks_late = True


@app.task(name="log_monitor_system.apps.core.tasks.noop", bind=True)
def noop(self, value):
    get_task_logger(__name__).info("noop begins")
    while self.request.id != "quick":
        time.sleep(1)
    return value
