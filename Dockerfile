# One image for all our services; docker-compose.yml says which one a container runs.
# PYTHON may be any version that pyproject.toml names: docker build --build-arg PYTHON=3.13 .
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm AS build
WORKDIR /src
COPY requirements/runtime.lock requirements/runtime.lock
RUN python -m venv /opt/goldx \
 && /opt/goldx/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY goldx goldx
COPY matching matching
COPY settlement settlement
COPY api api
RUN /opt/goldx/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

# The matching core and the gateway's view, compiled from the same sources by the same Python.
FROM python:${PYTHON}-slim-bookworm AS compile
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY --from=build /opt/goldx /opt/goldx
COPY --from=build /src ./
COPY requirements/compile.lock requirements/compile.lock
RUN /opt/goldx/bin/pip install --no-cache-dir --require-hashes -r requirements/compile.lock \
 && PYTHONPATH=/src /opt/goldx/bin/goldx build-core

FROM python:${PYTHON}-slim-bookworm
ARG PYTHON
RUN useradd --system --uid 10001 --home-dir /var/lib/goldx --create-home goldx \
 && install --directory --owner goldx --group goldx /var/lib/goldx/archive /var/lib/goldx/views /var/lib/goldx/records
COPY --from=build /opt/goldx /opt/goldx
COPY --from=compile /src/matching/_compiled /opt/goldx/lib/python${PYTHON}/site-packages/matching/_compiled
COPY --from=compile /src/api/_compiled /opt/goldx/lib/python${PYTHON}/site-packages/api/_compiled
ENV PATH=/opt/goldx/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GOLDX_CORE=compiled \
    GOLDX_DATA_DIR=/var/lib/goldx
USER 10001
WORKDIR /var/lib/goldx
ENTRYPOINT ["goldx"]
CMD ["--help"]
