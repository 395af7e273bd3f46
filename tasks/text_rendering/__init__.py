"""Text in generated images, read by a judge or an OCR engine: LongText-Bench, CVTG-2K, OneIG, TIIF."""
