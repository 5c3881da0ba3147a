"""Two producers as people have them: the standard library's HTTPHandler, and a client of the requests kind.

usage: producers.py HOST:PORT
"""
import logging
import logging.handlers
import sys

import requests

address = sys.argv[1]


class Handler(logging.handlers.HTTPHandler):
    """Sends the three fields that the API takes, form-encoded as the base class does."""

    def mapLogRecord(self, record):
        return {"app": 1, "level": record.levelname, "message": record.getMessage()}

    def handleError(self, record):
        raise


log = logging.getLogger("shop")
log.addHandler(Handler(address, "/api/logs/", method="POST"))
log.error("charge %d failed: %s", 42, "支付超时")

session = requests.Session()
answer = session.post(f"http://{address}/api/logs/", json={"app": 1, "level": "WARN", "message": "来自 requests 🚨"})
assert answer.status_code == 201, answer.text
assert answer.json()["message"] == "来自 requests 🚨"
answer = session.post(f"http://{address}/api/logs", data={"app": 1, "level": "INFO", "message": "from a requests form & more"})
assert answer.status_code == 201, answer.text

# The handler as it is sends its own names; the answer says which fields are missing.
plain = logging.handlers.HTTPHandler(address, "/api/logs/", method="POST")
record = logging.LogRecord("shop", logging.ERROR, "x.py", 1, "m", (), None)
answer = session.post(f"http://{address}/api/logs/", data=plain.mapLogRecord(record))
assert answer.status_code == 400 and set(answer.json()) == {"app", "level", "message"}, answer.text
listed = session.get(f"http://{address}/api/logs/", params={"limit": 1})
assert listed.links["next"]["url"].startswith("/api/logs/?limit=1&cursor="), listed.links
