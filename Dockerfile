# One image for every service: which one it is, the command says.
#   docker run IMAGE overnight doctor
#   docker run IMAGE celery -A overnight_workers.app worker -Q overnight.accept,overnight.answer

FROM ghcr.io/astral-sh/uv:latest AS uv

FROM python:3.13-slim AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/overnight \
    UV_PYTHON=python3 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# the dependencies first, from the lock alone: a change of the code doesn't fetch them again
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-install-project --extra workers --extra flower --extra sandbox --extra links --extra catalogs --extra encryption
COPY models models
COPY producers producers
COPY workers workers
RUN uv sync --frozen --no-dev --no-editable --extra workers --extra flower --extra sandbox --extra links --extra catalogs --extra encryption

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --home-dir /var/lib/overnight --shell /usr/sbin/nologin overnight \
    && install -d /etc/overnight
COPY --from=build /opt/overnight /opt/overnight
# Python's own library comes without byte code: each health check would compile what it imports
RUN python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
# MALLOC_: as in supervision/child.py
ENV PATH=/opt/overnight/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_TRIM_THRESHOLD_=134217728 \
    MALLOC_MMAP_THRESHOLD_=33554432
USER overnight
# an overnight.toml that is mounted here is found
WORKDIR /etc/overnight
STOPSIGNAL SIGTERM
CMD ["overnight", "--help"]
