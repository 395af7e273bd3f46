"""Studies of human preference: a page that shows documents blind, and what raters' votes say.

`make` writes a folder with a page that opens from disk and a key that stays with whoever runs the study;
`read` turns the files of votes that raters send back into shares, intervals and agreement.
"""

from evalsuite.study.key import Key, read_key
from evalsuite.study.making import Design, make
from evalsuite.study.results import Results, analyse
from evalsuite.study.votes import Ballots, read_votes

__all__ = ["Ballots", "Design", "Key", "Results", "analyse", "make", "read_key", "read_votes"]
