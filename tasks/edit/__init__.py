"""Editing by instruction: MagicBrush and its relatives."""
