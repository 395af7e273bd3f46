"""Editing by instruction: MagicBrush and related benchmarks."""
