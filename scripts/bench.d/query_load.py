"""Measures the calls of query_calls: 8 clients at once, each call by itself, alone and while logs come in.

usage: python query_load.py API FILLED SECONDS [PATTERN]
prints the table, of the calls whose name matches; the plans of what scans go to the file plans beside FILLED

DATABASE_URL is the API's database; its account may give the slow log an output, which says what each call reads.
"""

import http.client
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import query_calls

CLIENTS = 8
DEEP = 10_000
INGEST_RATE = 20_000
BATCH = 500
# A statement that reads more rows than these scans.
SCANS = 1_000
# So many times what it takes by itself may a call take while logs come in.
BUSY_MOST = 2


class Client:
    """A connection that is kept."""

    def __init__(self, api):
        self.connection = http.client.HTTPConnection(api, timeout=30)

    def get(self, address):
        try:
            self.connection.request("GET", address)
            answer = self.connection.getresponse()
        except http.client.RemoteDisconnected:
            # It was idle for longer than the server keeps a connection; the next request opens another.
            self.connection.close()
            self.connection.request("GET", address)
            answer = self.connection.getresponse()
        return answer, answer.read()

    def post(self, address, body, kind="application/x-ndjson"):
        self.connection.request("POST", address, body, {"Content-Type": kind})
        answer = self.connection.getresponse()
        return answer, answer.read()


def quantile(values, share):
    """A value that so large a share of the sorted values does not pass."""
    return values[min(len(values) - 1, int(len(values) * share))]


def calls_of_one(job):
    """What one client measures: how long each answer took, in ms, and how many were none."""
    api, addresses, first, seconds = job
    client, took, refused = Client(api), [], 0
    end = time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        answer, _ = client.get(addresses[first % len(addresses)])
        first += 1
        if answer.status == 200:
            took.append((time.monotonic() - begun) * 1000)
        else:
            refused += 1
            time.sleep(0.05)
    return took, refused


def measure(pool, api, call, seconds):
    jobs = [(api, call.addresses, number * 7, seconds) for number in range(CLIENTS)]
    parts = pool.map(calls_of_one, jobs, chunksize=1)
    took = sorted(value for part, _ in parts for value in part)
    refused = sum(count for _, count in parts)
    if not took:
        return None
    return dict(p50=quantile(took, 0.5), p99=quantile(took, 0.99), rate=len(took) / seconds, refused=refused)


def trouble(client, call):
    """Why a call is not there, or nothing."""
    answer, body = client.get(call.addresses[0])
    if answer.status != 200:
        return f"not there: {answer.status}"
    asked = parse_qs(urlsplit(call.addresses[0]).query)
    wrong = call.problem(json.loads(body), asked)
    if "q" in asked and not (answer.getheader("X-LogMon-Since") and answer.getheader("X-LogMon-Until")):
        wrong = wrong or "the answer does not name the range it looked at"
    return wrong and f"not there: {wrong}"


def deep_pages(job):
    """Follows the Link header of one kind of list, and gives the addresses of pages around 100 and the deep one."""
    api, kind, address, deep = job
    client, before, found = Client(api), None, {100: [], deep: []}
    asked = parse_qs(urlsplit(address).query)
    for page in range(1, deep + 1):
        for wanted, addresses in found.items():
            if wanted - 5 < page <= wanted:
                addresses.append(address)
        answer, body = client.get(address)
        if answer.status != 200:
            return kind, f"page {page}: {answer.status}"
        rows = json.loads(body)
        keys = [(row["created_at"], row["id"]) for row in rows]
        if wrong := query_calls.matches(rows, asked):
            return kind, f"not there: {wrong}"
        if before is not None and (keys[0] <= before if asked.get("order") == ["asc"] else keys[0] >= before):
            return kind, f"page {page} repeats a row"
        before = keys[-1]
        link = re.match(r'<([^>]*)>; rel="next"', answer.getheader("Link", ""))
        if not link:
            return kind, f"no page after {page}"
        address = link[1]
    return kind, found


def deep_name(page, kind):
    return f"page {page:,} of {kind}"


def follow(pool, api, filled, only):
    deep = max(200, DEEP * filled.logs // 10_000_000)
    lists = [(kind, of[0]) for kind, of in query_calls.filters(filled).items()]
    jobs = [(api, kind, query_calls.address(**of), deep) for kind, of in lists if only.search(deep_name(deep, kind))]
    for kind, found in pool.imap(deep_pages, jobs):
        for page in (100, deep):
            name = deep_name(page, kind)
            if isinstance(found, str):
                yield query_calls.Call(name, 50, [], found)
            else:
                yield query_calls.Call(name, 50, found[page], query_calls.matches)


class Ingest:
    """Logs that come in at a steady rate, in batches. A sender that is late catches up."""

    SENDERS = 4

    def __init__(self, api, body):
        self.api, self.body = api, body
        self.accepted, self.refused = multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)
        self.over = multiprocessing.Event()
        self.begun = time.monotonic()
        self.senders = [multiprocessing.Process(target=self.send, args=(number,)) for number in range(self.SENDERS)]
        for sender in self.senders:
            sender.start()

    def send(self, number):
        client, pause = Client(self.api), self.SENDERS * BATCH / INGEST_RATE
        due = self.begun + pause * number / self.SENDERS
        while not self.over.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            answer, body = client.post("/api/logs/", self.body)
            stored = json.loads(body)["accepted"] if answer.status == 200 else 0
            count = self.accepted if stored else self.refused
            with count.get_lock():
                count.value += stored or BATCH
            due += pause

    def end(self):
        """The logs a second that were taken, and how many were not."""
        self.over.set()
        for sender in self.senders:
            sender.join()
        return self.accepted.value / (time.monotonic() - self.begun), self.refused.value


def batch(client):
    """As many logs as a batch has, of those that are there."""
    _, body = client.get(f"/api/logs/?limit={BATCH}")
    rows = [{key: row[key] for key in ("app", "level", "message")} for row in json.loads(body)]
    return "\n".join(json.dumps(row) for row in rows).encode()


def database(sql):
    url = urlsplit(os.environ["DATABASE_URL"])
    subprocess.run(
        ["mariadb", "--no-defaults", f"--host={url.hostname}", f"--port={url.port}", f"--user={url.username}", "-e", sql],
        env=dict(os.environ, MYSQL_PWD=url.password), check=True,
    )


def statements(client, call, file):
    """What the database was asked for one call: the text of each statement, rows read, rows sent, and its plan."""
    database(f"SET GLOBAL slow_query_log_file = '{file}', log_output = 'FILE'")
    client.get(call.addresses[0])
    database("SET GLOBAL log_output = 'NONE'")
    with open(file, errors="replace") as log:
        text = log.read()
    os.remove(file)
    found = []
    for entry in text.split("# User@Host:")[1:]:
        counts = re.search(r"Rows_sent: (\d+)\s+Rows_examined: (\d+)", entry)
        lines = entry.splitlines()
        sql = " ".join(line for line in lines[1:] if line and not line.startswith(("#", "SET timestamp", "use ")))
        plan = [line.removeprefix("# explain: ") for line in lines if line.startswith("# explain:")]
        if counts and "bench" in lines[0] and not sql.startswith("SET GLOBAL"):
            found.append((sql, int(counts[2]), int(counts[1]), plan))
    return found


def plans(call, found):
    for sql, read, sent, plan in found:
        if read > max(SCANS, 2 * sent):
            yield "\n".join([f"{call.name}: reads {read:,} rows for {sent:,}", "  " + sql[:600], *(f"  {line}" for line in plan)])


def row(name, wanted, *cells):
    print(f"{name:<40} {wanted:>7} " + " ".join(f"{cell:>9}" for cell in cells), flush=True)


def main():
    api, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    only = re.compile(sys.argv[4] if len(sys.argv) > 4 else "")
    filled, client, pool = query_calls.Filled.read(path), Client(api), multiprocessing.Pool(CLIENTS)
    print(f"{CLIENTS} clients at once, {seconds:g} s each call; ms", flush=True)
    row("", "wanted", "p50", "p99", "calls/s", "rows read", "p50 busy", "p99 busy", "times")
    makers = (query_calls.newest, lambda of: follow(pool, api, of, only), query_calls.single, query_calls.histograms,
              query_calls.searches)
    calls = [call for make in makers for call in make(filled) if only.search(call.name)]
    there, explained = [], []
    for call in calls:
        if why := call.problem if isinstance(call.problem, str) else trouble(client, call):
            row(call.name, call.wanted_ms, why)
            continue
        found = statements(client, call, os.path.join(os.path.dirname(path), "slow.log"))
        explained += plans(call, found)
        for one in call.addresses:
            client.get(one)
        there.append((call, measure(pool, api, call, seconds), sum(read for _, read, _, _ in found)))
    body = batch(client)
    alone = Ingest(api, body)
    time.sleep(seconds)
    before, _ = alone.end()
    ingest = Ingest(api, body)
    over = 0
    for call, quiet, read in there:
        busy = measure(pool, api, call, seconds)
        if not quiet or not busy:
            row(call.name, call.wanted_ms, "refused")
            continue
        refused = quiet["refused"] + busy["refused"]
        is_over = quiet["p99"] > call.wanted_ms or busy["p99"] > BUSY_MOST * quiet["p99"]
        notes = ([f"{refused} refused"] if refused else []) + (["OVER"] if is_over else [])
        over += is_over
        row(call.name, call.wanted_ms, f"{quiet['p50']:.1f}", f"{quiet['p99']:.1f}", f"{quiet['rate']:.0f}", f"{read}",
            f"{busy['p50']:.1f}", f"{busy['p99']:.1f}", f"{busy['p99'] / quiet['p99']:.2f}", *notes)
    after, refused = ingest.end()
    print(f"\n{over} of {len(there)} over what is wanted; {len(calls) - len(there)} calls not there")
    print("busy: while logs come in at 20,000/s in batches of 500; "
          f"wanted: p99 at most {BUSY_MOST:.2f} times, and 0.90 of the logs")
    print(f"logs/s that were taken: {before:.0f} without the calls, {after:.0f} with them, {after / before:.2f}; {refused} refused")
    with open(os.path.join(os.path.dirname(path), "plans"), "w") as file:
        file.write("\n\n".join(explained) + "\n")


if __name__ == "__main__":
    main()
