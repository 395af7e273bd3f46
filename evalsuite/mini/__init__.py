"""The miniature world: generated scenes, their language, and writers in the official file formats."""
