"""A Celery application on the broker of the test: BROKER_URL, and KEY_PREFIX before every key. No task of its own."""
import os

from celery import Celery

options = {"global_keyprefix": os.environ["KEY_PREFIX"]}
app = Celery("tests", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.update(
    broker_transport_options=options,
    result_backend_transport_options=options,
    broker_connection_retry_on_startup=True,
)
