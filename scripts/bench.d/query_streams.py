"""Measures what goes on for a while: exports, and live tails.

usage: python query_streams.py API API_PID DATABASE_PID LOGS    prints the table
"""

import http.client
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time

EXPORTED = 1_000_000
IDLE_TAILS, READERS, RATE, SECONDS = 1_000, 100, 50, 10


def busy(pid):
    """For how many seconds a process has kept a processor busy so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """How many MB of memory it has now."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def row(name, *cells):
    print(f"{name:<40} " + " ".join(cells), flush=True)


def export(api, pid, name, query, *options):
    """Takes all there is, and says how fast it came and how much memory that took."""
    url, before, most, begun = f"http://{api}/api/logs/export/?{query}", resident(pid), 0, time.monotonic()
    curl = subprocess.Popen(["curl", "-sf", *options, url], stdout=subprocess.PIPE)
    count = subprocess.Popen(["wc", "-lc"], stdin=curl.stdout, stdout=subprocess.PIPE, text=True)
    curl.stdout.close()
    while count.poll() is None:
        most = max(most, resident(pid))
        time.sleep(0.02)
    took = time.monotonic() - begun
    lines, size = (int(value) for value in count.stdout.read().split())
    if curl.wait() != 0:
        row(name, f"failed: curl ended with {curl.returncode}")
        return
    # In CSV and compressed, a log is no line.
    logs = lines if "ndjson" in query and not options else min(EXPORTED, int(sys.argv[4]))
    row(name, f"{logs:,} logs, {size / 1e6:.0f} MB in {took:.1f} s: {logs / took:,.0f} logs/s, wanted 100,000;",
        f"{most - before:.0f} MB more than before")


def tail(api):
    host, port = api.split(":")
    stream = socket.create_connection((host, int(port)))
    stream.sendall(b"GET /api/logs/tail/ HTTP/1.1\r\nHost: x\r\n\r\n")
    if not stream.recv(64).startswith(b"HTTP/1.1 200"):
        raise SystemExit("a tail was refused")
    return stream


def idle(pids):
    """What the processes take of a processor while nothing happens, in percent."""
    before = [busy(pid) for pid in pids]
    time.sleep(SECONDS)
    return [(busy(pid) - start) / SECONDS * 100 for pid, start in zip(pids, before)]


def idle_tails(api, pids):
    none = idle(pids)
    tails = [tail(api) for _ in range(IDLE_TAILS)]
    time.sleep(1)
    many = idle(pids)
    for stream in tails:
        stream.close()
    for who, before, after in zip(("API", "database"), none, many):
        row(f"{IDLE_TAILS:,} idle tails, {who}", f"{after:.1f} % of a processor, {before:.1f} % without them")


def readers(api):
    """Sends logs at a rate, and looks at when each reader has each of them."""
    chosen, streams = selectors.DefaultSelector(), [tail(api) for _ in range(READERS)]
    rests, heard, answered = [b""] * READERS, [{} for _ in streams], {}
    for number, stream in enumerate(streams):
        chosen.register(stream, selectors.EVENT_READ, number)

    def send():
        client, due = http.client.HTTPConnection(api), time.monotonic()
        for number in range(RATE * SECONDS):
            time.sleep(max(0.0, due - time.monotonic()))
            body = json.dumps({"app": 1, "level": "INFO", "message": f"tailed {number} end"})
            client.request("POST", "/api/logs/", body, {"Content-Type": "application/json"})
            client.getresponse().read()
            answered[number] = time.monotonic()
            due += 1 / RATE

    sender = threading.Thread(target=send)
    sender.start()
    end = time.monotonic() + SECONDS + 5
    while time.monotonic() < end:
        for key, _ in chosen.select(0.1):
            *events, rests[key.data] = (rests[key.data] + key.fileobj.recv(1 << 16)).split(b"\n\n")
            for event in events:
                if b'"message":"tailed ' in event:
                    number = int(event.split(b'"message":"tailed ')[1].split()[0])
                    heard[key.data].setdefault(number, []).append(time.monotonic())
    sender.join()
    late = sorted((times[0] - answered[number]) * 1000 for of in heard for number, times in of.items())
    missing = READERS * RATE * SECONDS - len(late)
    twice = sum(len(times) - 1 for of in heard for times in of.values())
    row(f"{READERS} readers, {RATE} logs/s", f"{missing} missing, {twice} twice;",
        f"after the answer: p50 {late[len(late) // 2]:.0f} ms, p99 {late[len(late) * 99 // 100]:.0f} ms, wanted 1,000")


def main():
    api, pid, database = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    export(api, pid, "export as NDJSON", "format=ndjson")
    export(api, pid, "export as CSV", "format=csv")
    export(api, pid, "export as CSV, gzip", "format=csv", "-H", "Accept-Encoding: gzip")
    export(api, pid, "export of an app as NDJSON", "format=ndjson&app=1")
    idle_tails(api, [pid, database])
    readers(api)


if __name__ == "__main__":
    main()
