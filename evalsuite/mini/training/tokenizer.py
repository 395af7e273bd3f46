"""The miniature's tokenizer: one id a word of the world, bytes for everything else, fewer than 640 ids."""

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ..language import VOCABULARY

PAD, UNK, BOS, EOS = "[PAD]", "<unk>", "<s>", "</s>"
MULTIMODAL = (
    "<image>", "<im_patch>", "<im_start>", "<im_end>", "<dream>", "<dream_start>", "<dream_end>",
)  # fmt: skip
SPECIAL = (PAD, UNK, BOS, EOS, *MULTIMODAL)
PUNCTUATION = ".,:;?!()-'\""
_CAPITALISED = """
What How Where Which Is Are Does Do There A B C D The This Answer Question Options Option Hint Please Select
Describe Draw Make Move Swap Change Remove Add Replace Turn Put Give Write Tell USER ASSISTANT Once First
Then Next Finally Yes No
"""
_MORE = """
chat between curious user and an artificial intelligence assistant gives helpful detailed polite answers 's
move swap replace as same but bigger smaller different other one two three them they he she then next after
before
once upon time story finally story begins appears appeared comes came becomes became gone goes another only
empty write tell me about each every both than more less red's continue sentence e f your my
"""


def tokenizer_words(extra: Iterable[str] = ()) -> list[str]:
    """Every word that has an id, without duplicates."""
    return list(dict.fromkeys([*VOCABULARY, *_MORE.split(), *_CAPITALISED.split(), *extra]))


def make_tokenizer(
    *, end: bool, max_length: int, lower: bool = False, padding_side: str = "right", extra: Iterable[str] = ()
) -> PreTrainedTokenizerFast:
    """Build the tokenizer.

    Args:
        end: whether `</s>` is appended (text encoders) or only `<s>` prepended (the language model).
        max_length: `model_max_length`.
        lower: lower-case everything (text encoders, whose captions have no letters to answer with).
        padding_side: "left" for generation.
        extra: more words.
    """
    from tokenizers import normalizers

    # A Unigram model falls back to bytes, which a word-level model cannot; every word outweighs its bytes.
    pieces = [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    pieces += [("▁", -5.0)]
    pieces += [(mark, -2.0) for mark in PUNCTUATION] + [(f"▁{mark}", -2.0) for mark in PUNCTUATION]
    pieces += [(f"▁{word}", -1.0) for word in tokenizer_words(extra)]
    vocabulary = [(token, 0.0) for token in SPECIAL] + pieces
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=SPECIAL.index(UNK), byte_fallback=True))
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
            pre_tokenizers.Split(Regex(r"(?<=[^▁])[.,:;?!()\-'\"]"), behavior="isolated"),
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(replacement="▁")])
    tokenizer.add_special_tokens(list(SPECIAL))
    ids = [(token, SPECIAL.index(token)) for token in (BOS, EOS)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}" if end else f"{BOS} $A", special_tokens=ids
    )
    kind: Any = PreTrainedTokenizerFast  # without types
    built: PreTrainedTokenizerFast = kind(
        tokenizer_object=tokenizer,
        bos_token=BOS, eos_token=EOS, unk_token=UNK, pad_token=PAD,
        additional_special_tokens=list(MULTIMODAL),
        model_max_length=max_length,
        padding_side=padding_side,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    return built
