"""Editing by instruction, graded by a judge that sees both pictures: GEdit-Bench and ImgEdit-Bench."""
