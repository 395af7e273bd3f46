"""Interleaved documents: text and pictures from an instruction, or pictures for the true text."""
