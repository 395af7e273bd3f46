# evalsuite on NVIDIA GPUs:  docker build -f docker/cuda.Dockerfile -t evalsuite:cuda .
#   mkdir -p runs && docker run --rm --gpus all --shm-size 8g --user "$(id -u):$(id -g)" -v "$PWD/runs:/runs" evalsuite:cuda \
#       run --suite mini --workers auto --out /runs/mini
# torch's wheels bring CUDA's libraries; the host needs the driver and its container toolkit only.
FROM python:3.11-slim-bookworm

ARG TORCH_BACKEND=cu130
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HOME=/home/user EVALSUITE_DATA=/data HF_HOME=/cache/huggingface XDG_CACHE_HOME=/cache

WORKDIR /opt/evalsuite
COPY . .
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --torch-backend "${TORCH_BACKEND}" -c constraints.txt ".[api,ray,peft]" \
    && useradd --create-home --uid 1000 user \
    && mkdir -p /runs /data /cache \
    && chmod 1777 /runs /data /cache /home/user

USER 1000
WORKDIR /home/user
VOLUME ["/runs", "/data", "/cache"]
ENTRYPOINT ["evalsuite"]
CMD ["--help"]
