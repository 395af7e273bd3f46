"""Captioning: COCO, its Karpathy split and their relatives."""
