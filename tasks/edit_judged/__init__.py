"""Editing by instruction, graded by a judge that sees both images: GEdit-Bench and ImgEdit-Bench."""
