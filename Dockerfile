# One image for all of the project's own processes; the command says which one.
FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS base

FROM base AS packages
WORKDIR /build
COPY requirements.lock .
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --no-deps -r requirements.lock

FROM base
# Nothing that installs packages is left in the image.
RUN pip uninstall --yes --quiet --root-user-action=ignore setuptools wheel pip
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
COPY calling calling
COPY config config
COPY temporal temporal
COPY choreography choreography
COPY audit audit
COPY activities activities
COPY workflows workflows
COPY replay replay
COPY builds builds
COPY api api
# The file system is read-only when a process starts, so none could keep what it compiles.
RUN python -m compileall -q .
# A number, so that an orchestrator can see that the user is not root.
USER 10001:10001
CMD ["python", "-m", "api"]
