"""Result lines for the runner: one JSON object a line on standard output, nothing else goes there."""

import contextlib
import json
import subprocess
import sys
import time


def emit(**fields):
    print(json.dumps(fields), flush=True)


def client(name):
    """Names the library and the protocol version, as installed."""
    emit(client=name)


def figure(name, value):
    """A number to show beside the verdict."""
    emit(figure=name, value=value)


@contextlib.contextmanager
def check(name):
    """One check: it passes unless its block raises."""
    start = time.monotonic()
    error = None
    try:
        yield
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    ms = round((time.monotonic() - start) * 1000, 1)
    if error is None:
        emit(check=name, ok=True, ms=ms)
    else:
        emit(check=name, ok=False, ms=ms, detail=error)


def expect(actual, wanted, what="value"):
    if actual != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {actual!r}")


def run_and_kill(*arguments):
    """Starts this script again, waits until it says `ready`, then kills it: its client sends no DISCONNECT."""
    command = [sys.executable, *sys.argv, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline().strip()
        process.kill()
    expect(line, "ready", "first line of the client to be killed")


def is_owner_of_will():
    """Whether this is the process that `run_and_kill("will")` started."""
    return sys.argv[-1] == "will"


def ready():
    """Tells `run_and_kill` that the client is connected."""
    print("ready", flush=True)
