# The web client is built, the server and what it needs are installed into a virtual environment, and only these two come
# into the image that runs: no compiler, no npm, no root.

FROM node:20-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build

FROM python:3.11-slim AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /venv
COPY setup.cfg setup.py pyproject.toml constraints.txt README.md ./
COPY schemas/ schemas/
COPY realtime_server/ realtime_server/
RUN /venv/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home realtime
COPY --from=build /venv /venv
COPY --from=web /web/dist /venv/lib/python3.11/site-packages/web/dist
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 WS_HOST=0.0.0.0 WS_PORT=8080 DATA_DIR=/data LOG_FORMAT=json
USER 10001
EXPOSE 8080
# The process lives. Whether it should get requests is /readyz's to say, and a load balancer's to ask.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['WS_PORT']}/healthz\", timeout=2)"]
# SIGTERM drains (WS_DRAIN_TIME); give it that and ten seconds: `docker stop --time 15`, `stop_grace_period`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["realtime-server"]
CMD ["serve"]
