# One image for all of the project's own processes; the command says which one.
FROM python:3.11.14-slim-bookworm AS packages
COPY requirements.lock .
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --no-deps -r requirements.lock

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin trips
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY worker.py ./
COPY stack/deploy/answers.py stack/deploy/answers.py
COPY serving serving
COPY partners partners
COPY trip trip
COPY record record
COPY guard guard
COPY config config
COPY temporal temporal
COPY audit audit
COPY activities activities
COPY workflows workflows
COPY api api
USER trips
CMD ["python", "-m", "api"]
