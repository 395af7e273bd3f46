"""Interleaved documents: text and images from an instruction, or images for the true text."""
