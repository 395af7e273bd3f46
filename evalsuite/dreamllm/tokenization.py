"""Text to ids and back, for the two kinds of tokenizer file that a checkpoint folder may hold."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from evalsuite.dreamllm.configuration import TOKEN_TEXTS, SpecialTokens
from evalsuite.dreamllm.weights import read_json
from evalsuite.errors import CheckpointError

UNDERLINE = "▁"


class Tokenizer(Protocol):
    """What the processor needs.

    `encode` never adds `<s>` or `</s>`; the processor places them.
    """

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Every special token's text -> id."""
        ...

    @property
    def size(self) -> int:
        """One more than the highest id it can give."""
        ...

    def encode(self, text: str, *, start: bool = True) -> list[int]:
        """Ids of plain text; token texts in it (`<im_start>` …) are spelt out, not obeyed.

        Args:
            start: nothing or only `<s>` stands before it; False directly after another special token.
        """
        ...

    def encode_marked(self, text: str) -> list[int]:
        """Ids of text in which the special tokens' texts are obeyed."""
        ...

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """Text of ids."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files."""
        ...


class SentencePieceTokenizer:
    """Llama's sentencepiece tokenizer as transformers 4.35's slow class had it, which is what DreamLLM was
    trained with. transformers 5 treats leading spaces otherwise, so that prompts lose a token.

    In `legacy` mode every run of text, also after a special token, gets its own dummy prefix space; otherwise
    only the beginning does.

    Args:
        model: path of `tokenizer.model`.
        added: token text -> id for the tokens outside the sentencepiece model.
        legacy: see above; files without the field are legacy.
        pad: text of the padding token; like `<s>` it is printed without spaces around.
    """

    def __init__(
        self, model: Path, added: Mapping[str, int], *, legacy: bool = True, pad: str = TOKEN_TEXTS["pad"]
    ) -> None:
        from sentencepiece import SentencePieceProcessor

        if not model.is_file():
            raise CheckpointError(
                f"{model} does not exist.", "Copy tokenizer.model into the checkpoint folder."
            )
        self.path, self.added, self.legacy, self.pad = model, dict(added), legacy, pad
        proto = model.read_bytes() if legacy else without_dummy_prefix(model.read_bytes())
        self._sp: Any = SentencePieceProcessor(model_proto=proto)
        own = {
            self._sp.id_to_piece(i): i
            for i in (self._sp.unk_id(), self._sp.bos_id(), self._sp.eos_id())
            if i >= 0
        }
        self._special = {**own, **self.added}
        self._apart = {index for text, index in self.added.items() if text not in own and text != pad}
        self._texts = {index: text for text, index in self._special.items()}
        ordered = sorted(self._special, key=len, reverse=True)
        self._marks = re.compile("(" + "|".join(map(re.escape, ordered)) + ")")
        self._unk = self._sp.id_to_piece(self._sp.unk_id())
        self._unk_length = len(self._sp.encode(self._unk))

    @classmethod
    def from_folder(cls, folder: Path) -> SentencePieceTokenizer:
        """Read `tokenizer.model`, `added_tokens.json` (or `added_tokens_decoder`) and the legacy flag."""
        settings = (
            read_json(folder / "tokenizer_config.json")
            if (folder / "tokenizer_config.json").is_file()
            else {}
        )
        if (folder / "added_tokens.json").is_file():
            added = {str(text): int(index) for text, index in read_json(folder / "added_tokens.json").items()}
        else:
            entries = settings.get("added_tokens_decoder", {})
            added = {str(entry["content"]): int(index) for index, entry in entries.items()}
        legacy = settings.get("legacy")
        pad = settings.get("pad_token") or TOKEN_TEXTS["pad"]
        pad = pad["content"] if isinstance(pad, dict) else str(pad)
        return cls(
            folder / "tokenizer.model", added, legacy=True if legacy is None else bool(legacy), pad=pad
        )

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return self._special

    @property
    def size(self) -> int:
        return max(int(self._sp.get_piece_size()), *(index + 1 for index in self._special.values()))

    def encode(self, text: str, *, start: bool = True) -> list[int]:
        if not text:
            return []
        if self.legacy:
            ids: list[int] = self._sp.encode(text)
            return ids
        # as upstream, which replaces before it looks for special tokens
        text = text.replace(UNDERLINE, " ")
        return self._without_prefix(UNDERLINE + text if start else text)

    def _without_prefix(self, text: str) -> list[int]:
        # sentencepiece strips leading spaces; behind an <unk> they survive
        if not text.startswith((UNDERLINE, " ")):
            ids: list[int] = self._sp.encode(text)
            return ids
        after: list[int] = self._sp.encode(self._unk + text)[self._unk_length :]
        return after

    def encode_marked(self, text: str) -> list[int]:
        if not text:
            return []
        if not self.legacy:
            text = UNDERLINE + text.replace(UNDERLINE, " ")
        ids: list[int] = []
        for piece in self._marks.split(text):
            if piece in self._special:
                ids.append(self._special[piece])
            elif piece:
                ids += self._sp.encode(piece) if self.legacy else self._without_prefix(piece)
        dummy = self._sp.piece_to_id(UNDERLINE)
        if not self.legacy and len(ids) > 1 and ids[0] == dummy and ids[1] in self._texts:
            del ids[0]
        return ids

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        if skip_special:
            ids = [index for index in ids if index not in self._texts]
        # the structural tokens stand apart, with spaces around; <s>, </s>, <unk>, [PAD] do not
        runs: list[str] = []
        current: list[int] = []
        for index in ids:
            if index in self._apart:
                if current and (text := self._decode_run(current)):
                    runs.append(text)
                current = []
                runs.append(self._texts[index])
            else:
                current.append(index)
        if current:
            runs.append(self._decode_run(current))
        return " ".join(runs)

    def _decode_run(self, ids: Sequence[int]) -> str:
        text: str = ""
        after_special = False
        plain: list[str] = []
        pieces = [self._texts.get(index) or self._sp.id_to_piece(index) for index in ids]
        if pieces[0].startswith(UNDERLINE):
            pieces[0] = pieces[0][1:]
        for position, piece in enumerate(pieces):
            if piece in self._special:
                if not after_special and position and self.legacy:
                    text += " "
                text += self._sp.decode(plain) + piece
                plain, after_special = [], True
            else:
                plain.append(piece)
                after_special = False
        text += self._sp.decode(plain)
        return text

    def save(self, folder: Path) -> None:
        if self.path.resolve() != (folder / "tokenizer.model").resolve():
            shutil.copyfile(self.path, folder / "tokenizer.model")
        (folder / "added_tokens.json").write_text(json.dumps(self.added, indent=2) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(
            json.dumps(self._settings(), indent=2) + "\n", encoding="utf-8"
        )

    def _settings(self) -> dict[str, Any]:
        """`tokenizer_config.json`, with all that transformers' own class needs to treat the tokens alike."""
        sp = self._sp
        names = {name: sp.id_to_piece(getattr(sp, f"{name}_id")()) for name in ("bos", "eos", "unk")}
        plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
        apart = sorted(self.added.keys() - {*names.values(), self.pad}, key=self.added.__getitem__)
        return {
            "tokenizer_class": "LlamaTokenizer",
            "legacy": self.legacy,
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
            **{f"{name}_token": text for name, text in names.items()},
            "pad_token": self.pad,
            "additional_special_tokens": apart,
            "added_tokens_decoder": {
                str(index): {"content": text, **plain}
                for text, index in sorted(self._special.items(), key=lambda pair: pair[1])
            },
        }


def without_dummy_prefix(model: bytes) -> bytes:
    """The same sentencepiece model with `add_dummy_prefix` off."""
    from sentencepiece import sentencepiece_model_pb2

    format_: Any = sentencepiece_model_pb2
    proto = format_.ModelProto.FromString(model)
    proto.normalizer_spec.add_dummy_prefix = False
    serialized: bytes = proto.SerializeToString()
    return serialized


class FastTokenizer:
    """A `tokenizer.json` of the tokenizers library; its post-processor is not used.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, or a transformers tokenizer that wraps one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        added = self._tokenizer.get_added_tokens_decoder()
        self._special = {token.content: index for index, token in added.items() if token.special}

    @classmethod
    def from_folder(cls, folder: Path) -> FastTokenizer:
        """Read `tokenizer.json`."""
        import tokenizers

        try:
            return cls(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")))
        except Exception as error:
            raise CheckpointError(f"{folder / 'tokenizer.json'} cannot be read: {error}.") from error

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return self._special

    @property
    def size(self) -> int:
        last: int = max(self._tokenizer.get_vocab(with_added_tokens=True).values())
        return last + 1

    def encode(self, text: str, *, start: bool = True) -> list[int]:
        del start
        ids: list[int] = []
        # a special token's text in user text is broken up, so that it cannot act
        for piece in self._split(text):
            ids += self._tokenizer.encode(piece, add_special_tokens=False).ids
        return ids

    def _split(self, text: str) -> Iterable[str]:
        marks = [mark for mark in self._special if mark in text]
        if not marks:
            return [text] if text else []
        pattern = "(" + "|".join(map(re.escape, sorted(marks, key=len, reverse=True))) + ")"
        pieces: list[str] = []
        for piece in re.split(pattern, text):
            if piece in self._special and len(piece) > 1:
                pieces += [piece[:1], piece[1:]]
            elif piece:
                pieces.append(piece)
        return pieces

    def encode_marked(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=skip_special)
        return text

    def save(self, folder: Path) -> None:
        self._tokenizer.save(str(folder / "tokenizer.json"))


def has_tokenizer(folder: Path) -> bool:
    """Whether a checkpoint folder holds a tokenizer's file."""
    return any((folder / name).is_file() for name in ("tokenizer.model", "tokenizer.json"))


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a checkpoint folder: `tokenizer.model` if it is there (upstream), else
    `tokenizer.json`.

    Raises:
        CheckpointError: the folder has neither.
    """
    if (folder / "tokenizer.model").is_file():
        return SentencePieceTokenizer.from_folder(folder)
    if (folder / "tokenizer.json").is_file():
        return FastTokenizer.from_folder(folder)
    raise CheckpointError(
        f"{folder} holds no tokenizer (neither tokenizer.model nor tokenizer.json).",
        "Copy the whole checkpoint folder.",
    )


def special_tokens(tokenizer: Tokenizer) -> SpecialTokens:
    """The special ids of a tokenizer whose tokens are spelt as published checkpoints spell them."""
    return SpecialTokens.from_texts(tokenizer.vocabulary, TOKEN_TEXTS)
