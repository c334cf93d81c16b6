"""A server in Python: 100 threads, each of which answers some requests and sleeps. usage: server_of_python.py SECONDS"""
import json
import sys
import threading
import time

end = time.monotonic() + float(sys.argv[1])


def parse(n):
    return json.loads(json.dumps({"n": n, "list": list(range(50))}))


def handle(n):
    return parse(n)


def serve(n):
    while time.monotonic() < end:
        for _ in range(20):
            handle(n)
        time.sleep(0.02)


threads = [threading.Thread(target=serve, args=(n,)) for n in range(100)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
