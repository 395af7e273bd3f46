# evalsuite on a CPU:  docker build -f docker/cpu.Dockerfile -t evalsuite:cpu .
#   mkdir -p runs && docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/runs:/runs" evalsuite:cpu run --suite mini --out /runs/mini
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 OMP_NUM_THREADS=1 \
    HOME=/home/user EVALSUITE_DATA=/data HF_HOME=/cache/huggingface XDG_CACHE_HOME=/cache

WORKDIR /opt/evalsuite
COPY . .
# uv takes torch's CPU build, a tenth of the size of CUDA's.
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --torch-backend cpu -c constraints.txt ".[api]" \
    && useradd --create-home --uid 1000 user \
    && mkdir -p /runs /data /cache \
    && chmod 1777 /runs /data /cache /home/user

USER 1000
WORKDIR /home/user
VOLUME ["/runs", "/data", "/cache"]
ENTRYPOINT ["evalsuite"]
CMD ["--help"]
