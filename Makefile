# Everything a newcomer needs: python3 and make. No root, nothing running.
PY := .venv/bin/python
PROCESSORS := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)

help:  ## list the targets
	@grep -E '^[a-z.-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

.venv: pyproject.toml uv.lock  ## make the virtual environment, from the lock, and nothing else
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'
	.venv/bin/uv sync --quiet --frozen --inexact --all-extras
	@touch .venv

demo: .venv  ## enrich 1,000 airports through the whole system, watch it, see the bill
	@.venv/bin/overnight demo

check: .venv  ## format, lint, strict types (tests too), import rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: .venv  ## put the code in its form
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

test: .venv  ## every test, on real servers it starts itself on free ports
	.venv/bin/uv sync --quiet --frozen --inexact --all-extras --group pyright --group frameworks
	.venv/bin/python -m tests.compiled
	.venv/bin/pytest -n $$(( $(PROCESSORS) < 3 ? 2 * $(PROCESSORS) + 1 : 6 )) --dist loadfile --no-loadscope-reorder

long: .venv  ## the attacks of tests/faults at size and in rounds; some 15 minutes
	.venv/bin/pytest -m long tests/faults

chaos: .venv  ## kill, freeze and cut off everything, at every point and at random, for 10 minutes; CHAOS_SECONDS, CHAOS_SEED
	.venv/bin/python -m tests.chaos

outbox: .venv  ## 10,000 orders in a product's own transactions; products, relays and Redis killed 60 times; 5 minutes
	.venv/bin/python -m tests.faults.outbox_attack

drill: .venv  ## what fails at night, one thing at a time, under load: how soon an alarm comes, what is lost; DRILL_SEED
	.venv/bin/python -m tests.drill

drill.questions: .venv  ## ten questions of a night, answered by clicks in Chromium and by commands: the seconds; needs chromium
	.venv/bin/python -m tests.drill.questions

axe: .venv  ## every page of ours in Chromium, those of catalogs too, by axe-core; needs chromium and npm
	.venv/bin/python -m tests.accessibility

tour: .venv  ## each act of the pages clicked on a running installation with 0, 1 and 100,000 rows; needs chromium; 10 minutes
	.venv/bin/python -m tests.tour

grafana: .venv  ## the shipped dashboard beside the types that Grafana publishes; needs npm
	.venv/bin/python -m tests.grafana

bench: .venv  ## the whole way against the bare script, 100,000 items
	.venv/bin/python -m tests.benchmarks.pipeline --items 100000

bench.against: .venv  ## the build of REV and this one, three rounds in turn: time, processor, memory, bytes; 12 minutes
	.venv/bin/python -m tests.benchmarks.against $(REV)

bench.profile: .venv  ## where each service spends its time with 100,000 items: stacks by py-spy in ./profile
	.venv/bin/python -m tests.benchmarks.pipeline --items 100000 --profile profile

bench.product: .venv  ## what a product installs: the wheel, its dependencies, import time beside Celery's own
	.venv/bin/python -m tests.benchmarks.product

bench.floor: .venv  ## what COPY, JSON and Redis alone need for 100,000 items
	.venv/bin/python -m tests.benchmarks.floor

bench.rows: .venv  ## what the rows of an item cost, step by step, and what checks, triggers and indexes take of it; 3 minutes
	.venv/bin/python -m tests.benchmarks.row_life

bench.growth: .venv  ## time, memory and bytes on disk from 1,000 to 1,000,000 items, as a table and growth.png; needs matplotlib
	.venv/bin/python -m tests.benchmarks.growth --plot growth.png

bench.direct: .venv  ## 10,000 items in real time, 100 at once, beside a bare script of the async SDK and LiteLLM's Router
	.venv/bin/python -m tests.benchmarks.direct

bench.async: .venv  ## what an enqueue costs in a request handler: AsyncOvernight beside Overnight in threads; 20 seconds
	.venv/bin/python -m tests.benchmarks.async_enqueue

bench.handler: .venv  ## what an enqueue adds to a request of FastAPI's behind uvicorn; half a minute
	.venv/bin/uv sync --quiet --frozen --inexact --all-extras --group frameworks
	.venv/bin/python -m tests.benchmarks.fastapi_handler

bench.hours: .venv  ## outcomes into a product that takes 200 a second at its hours, by Celery and by webhook; 5 minutes
	.venv/bin/python -m tests.benchmarks.seam_hours --outcomes 20000

bench.budgets: .venv  ## twenty packers and one strict budget: reserved, spent, held, and never over the cap
	.venv/bin/python -m tests.benchmarks.budgets

bench.prefixes: .venv  ## bytes of 100,000 items that share 80 KB, and what caching a contract costs at four hit rates
	.venv/bin/python -m tests.benchmarks.prefixes size
	.venv/bin/python -m tests.benchmarks.prefixes contracts

bench.crowd: .venv  ## 100 product processes that enqueue one item at a time: items a second in Postgres
	.venv/bin/python -m tests.benchmarks.crowd

bench.backlog: .venv  ## each question to a ledger with 15,000,000 items beside an almost empty one; 5 to 15 minutes, 14 GB
	.venv/bin/python -m tests.benchmarks.backlog

bench.limiter: .venv  ## the limiter of the direct road: its time, the worst minute with eight workers, Redis restarted; 15 minutes
	.venv/bin/python -m tests.benchmarks.limiter

bench.deadlines: .venv  ## deadlines on an accelerated clock: met and paid, beside all-batch and all-direct; 5 minutes
	.venv/bin/python -m tests.benchmarks.deadlines

bench.stragglers: .venv  ## a batch of 10,000 that doesn't end, rescued in real time at 6,000 requests a minute; 6 minutes
	.venv/bin/python -m tests.benchmarks.stragglers

bench.bars: .venv  ## memory for a batch of 256 MB; calls and lateness with many batches open; one item alone; 10 minutes
	.venv/bin/python -m tests.benchmarks.large_batch
	.venv/bin/python -m tests.benchmarks.open_batches requests
	.venv/bin/python -m tests.benchmarks.open_batches ends
	.venv/bin/python -m tests.benchmarks.one_item

bench.catalog: .venv  ## 500,000 rows: nothing changed, beside DuckDB's hash join; a first night, beside `enqueue --wait`
	.venv/bin/python -m tests.benchmarks.catalog --rows 500000
	.venv/bin/python -m tests.benchmarks.first_night --rows 500000

bench.retention: .venv  ## sixty nights on an accelerated clock: the database's size after each, flat once what is old goes; 3 minutes
	.venv/bin/python -m tests.benchmarks.retention

bench.seam: .venv  ## enqueue in a product's transaction beside one INSERT; a relay; webhooks beside Celery callbacks; 7 minutes
	.venv/bin/python -m tests.benchmarks.seam
	.venv/bin/python -m tests.benchmarks.seam_webhooks

bench.nights: .venv  ## four nights of a catalog and a bad prompt: rows sent and why, price, time, memory
	.venv/bin/python -m tests.benchmarks.nights --rows 20000

clean:  ## remove what make made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.PHONY: help demo check format test long chaos outbox drill drill.questions axe tour grafana bench bench.against bench.profile bench.floor bench.rows bench.product bench.direct bench.async bench.handler bench.hours bench.budgets bench.crowd bench.backlog bench.growth bench.prefixes bench.limiter bench.deadlines bench.stragglers bench.bars bench.catalog bench.retention bench.nights bench.seam clean
