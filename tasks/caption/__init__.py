"""Captioning: COCO, its Karpathy split and related benchmarks."""
