# Head and workers of a cluster (configs/cluster), or one machine:
#
#   docker build -t colorize-archive .
#   docker run --gpus all -v /archive:/mnt/archive colorize-archive \
#       colorize-archive run /mnt/archive/in --out /mnt/archive/out
#
# Checked: with hadolint, and that all it copies exists. Not built: no Docker was at hand.
# PyPI's torch brings its own CUDA; the host only needs NVIDIA's driver and container toolkit.
FROM python:3.11-slim-bookworm

# wget: KubeRay's probes. rsync, procps: Ray's cluster launcher. Debian keeps no old versions, so that
# pinned ones would stop the build one day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends wget rsync procps \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/colorize
COPY requirements.lock .
RUN pip install --no-cache-dir -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY colorize_core colorize_core
RUN pip install --no-cache-dir --no-deps .
COPY jobs jobs

# Results then belong to this user; for another: docker run --user "$(id -u):$(id -g)" ...
RUN useradd --create-home --uid 1000 colorize
USER colorize

ENV RAY_USAGE_STATS_ENABLED=0 PYTHONUNBUFFERED=1
CMD ["colorize-archive", "--help"]
