# Three images of one program. Build one with `docker build --target app --tag prismata/app .`
#
#   worker-gpu   `prismata worker` with PyTorch on CUDA: trainings on a GPU
#   worker-cpu   `prismata worker` with PyTorch: trainings and detections on the processor
#   app          `prismata serve`, and every command that needs no PyTorch; the default
#
# All run as user 10001, write to /data and /tmp only, and need no capability of the kernel.

# One more for all of them: a Python that only installs, so that no compiler or cache gets into an image.
FROM python:3.11.14-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1


FROM base AS installed
WORKDIR /build
RUN python -m venv /opt/prismata
ENV PATH=/opt/prismata/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
# Only what says which libraries there are: they are installed anew when these change, not when our code does.
COPY pyproject.toml constraints.txt README.md ./
COPY src/prismata/_version.py src/prismata/_version.py


FROM installed AS installed-app
RUN pip install --constraint constraints.txt '.[ui,s3,postgres,celery,openvino]'
COPY src src
RUN pip install --constraint constraints.txt --no-deps --force-reinstall .


FROM installed AS installed-worker-cpu
# The package index that has PyTorch without CUDA. Empty: what pip takes by itself, which works too but brings gigabytes
# of CUDA libraries on x86-64. It becomes part of the image's history, so no password in it.
ARG TORCH_INDEX=""
RUN pip install --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision \
    && pip install --constraint constraints.txt '.[train,s3,postgres,celery,openvino]'
COPY src src
RUN pip install --constraint constraints.txt --no-deps --force-reinstall .


FROM installed AS installed-worker-gpu
RUN pip install --constraint constraints.txt '.[train,s3,postgres,celery]'
COPY src src
RUN pip install --constraint constraints.txt --no-deps --force-reinstall .


FROM base AS runtime
RUN groupadd --gid 10001 prismata \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin prismata \
    && install --directory --owner 10001 --group 10001 /data
WORKDIR /app
COPY domains domains
COPY docker/health.py /app/health.py
ENV PATH=/opt/prismata/bin:$PATH \
    HOME=/tmp \
    TORCH_HOME=/data/cache/torch \
    PRISMATA_DATA_DIR=/data \
    PRISMATA_DOMAINS_DIRS=/app/domains
VOLUME ["/data", "/tmp"]
USER 10001:10001
ENTRYPOINT ["prismata"]


FROM runtime AS worker-gpu
COPY --from=installed-worker-gpu /opt/prismata /opt/prismata
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s --retries=3 CMD ["python", "/app/health.py", "worker"]
CMD ["worker", "--class", "gpu"]


FROM runtime AS worker-cpu
COPY --from=installed-worker-cpu /opt/prismata /opt/prismata
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s --retries=3 CMD ["python", "/app/health.py", "worker"]
CMD ["worker"]


FROM runtime AS app
COPY --from=installed-app /opt/prismata /opt/prismata
# Inside a container the loopback address is nobody's. Publish the port on the host's loopback, or behind a login.
ENV PRISMATA_HOST=0.0.0.0
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "/app/health.py", "app"]
CMD ["serve"]
