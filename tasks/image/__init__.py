"""Text-to-image: zero-shot MS-COCO and related benchmarks."""
