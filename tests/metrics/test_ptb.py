"""The caption tokenizer against the Java program where there is one; recorded tokens are in tests/golden."""

from __future__ import annotations

import random
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.metrics._lexer import Lexer, Rule
from evalsuite.metrics.ptb import ptb_lines, tokenize_captions

FRAGMENTS = (  # noqa: SIM905 (as a list it would be all quotes and escapes)
    "the dog U.S. u.s. Mr. etc. Inc. Co pty. Ltd no. fig. 5 5. 12 1/2 7/8 3.14 1,000 -5 "
    "555-1234 (555) 123 4567 cannot gonna lemme 'twas 'tis don't can't it's we're I'm "
    "rock'n'roll o'clock y'all d'or ma'am 'em 'til '80s \" '' ` `` ' “ ” ‘ ’ « » & &amp; "
    "&quot; &apos; &lt; &nbsp; &mdash; &eacute; < >> <b> </b> <a href='x'> <br/> www.x.com "
    "http://a.b/c?d=1, foo@bar.com x.jpg @user #tag C++ AT&T ( ) [ ] { } :) :-( ^_^ (-_-) -- "
    "--- ----- _ * and/or 1-2 x-ray t-shirt A. I. I.B.M. Ph.D. p.m. a.k.a. vs. vs Jan. az. "
    "Az. miss. Miss. The About in St. dept. € £ ¢ US$ $5 % ½ ⅓ ² ₂ é Ⅳ я 中文 ، ٣ 😀 \u200b \xad "
    "soft\xadhyphen … ... .. . ! ?! , ; : 、 ~ ^ | \\ = © ™ ° × ★ ¿ § ca. Bros. Univ. e.g. i.e. "
    "S&P-500 Cap'n -LRB- n't n’t 12/25/2010 10:30pm 5' x=y \x85 \x92 ſ İ ı K *NL* nor'easter c'mon "
    "cont'd. ΣΑΣ ΑΣ-ΣΑ ΑΣ5 x@𐐀𐓉b \ufffd "
).split()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_generated_lines_agree_with_the_java_program(seed: int, tmp_path: Path) -> None:
    if shutil.which("java") is None or find_spec("pycocoevalcap") is None:
        pytest.skip("needs Java and pycocoevalcap")
    import pycocoevalcap.tokenizer

    jar = next(Path(pycocoevalcap.tokenizer.__path__[0]).glob("stanford-corenlp-*.jar"))
    source = random.Random(seed)
    joints = [" "] * 8 + [""] * 6 + ["\n"] * 3 + ["  ", "\t", "\u00a0", "\u3000", ".", ",", "'", "-"]
    text = "".join(source.choice(FRAGMENTS) + source.choice(joints) for _ in range(20_000))
    (tmp_path / "lines.txt").write_bytes(text.encode())
    program = ["java", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer"]
    command = [*program, "-preserveLines", "-lowerCase", "lines.txt"]
    official = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.decode()
    assert ptb_lines(text) == official


@pytest.mark.parametrize("end", ["\r", "\v", "\f", "\n", "\r\n", "\u2028", "\u2029"])
def test_a_line_end_inside_a_caption_does_not_shift_the_next(end: str) -> None:
    assert tokenize_captions([f"a cat{end}sits", "two dogs"]) == ["a cat sits", "two dogs"]


def test_the_period_of_a_final_abbreviation_depends_on_the_next_caption() -> None:
    assert tokenize_captions(["made by nintendo inc."]) == ["made by nintendo inc."]
    assert tokenize_captions(["by U.S.", "The end"])[0] == "by u.s."
    assert tokenize_captions(["plan A.", "The end"])[0] == "plan a"
    assert tokenize_captions(["plan A.", "big end"])[0] == "plan a."


def test_no_captions_give_no_tokens_and_empty_captions_keep_their_place() -> None:
    assert tokenize_captions([]) == []
    assert tokenize_captions(["", "a dog", ""]) == ["", "a dog", ""]


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20), max_size=8))
def test_every_caption_gets_one_line_whatever_it_contains(captions: Any) -> None:
    assert len(tokenize_captions(captions)) == len(captions)


def test_the_lexer_takes_the_longest_match_look_ahead_included_then_the_first_rule() -> None:
    letters = {"L": str.isalpha, "U": str.isupper, "D": str.isdigit}
    lexer = Lexer([Rule("ab"), Rule("<AB>"), Rule("a", "bc"), Rule("[^]")], {"AB": "ab|a{2,3}"}, letters, {})
    assert lexer.match("abx", 0)[:2] == (0, 2)
    assert lexer.match("abc", 0)[:2] == (2, 1)
    assert lexer.match("AAAA", 0)[:2] == (1, 3)
    assert lexer.match("xab", 1)[:2] == (0, 3)
