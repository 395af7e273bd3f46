"""Open questions about images, short answers: VQAv2, easy-VQA and related benchmarks."""
