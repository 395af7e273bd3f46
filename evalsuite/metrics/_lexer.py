"""A small lexer generator: rules with longest match, look-ahead, and a lazily built automaton.

Python's `re` takes the first alternative that matches; lexers made with the flex family take the longest
match over all rules, the earliest rule among equals, counting what a rule must see behind its token. This
module does that.

Pattern syntax (a subset of flex's): literals, which match both cases; ``[...]`` and ``[^...]``, which match
exactly what they list; ``\\L`` ``\\U`` ``\\D`` for letters, capitals and digits as the caller defines them;
``( ) | * + ?`` and ``{m,n}``; ``<NAME>`` for a named pattern; ``\\uXXXX`` and backslash escapes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_DEAD = -1


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `pattern`, seen only before `follow` (which is not part of the token)."""

    pattern: str
    follow: str = ""


@dataclass(frozen=True, slots=True)
class _Chars:
    """A set of characters: single ones, ranges, classes; or everything else."""

    singles: frozenset[str]
    ranges: tuple[tuple[str, str], ...] = ()
    classes: str = ""
    negated: bool = False

    def holds(self, char: str, classes: Mapping[str, Callable[[str], bool]]) -> bool:
        inside = (
            char in self.singles
            or any(low <= char <= high for low, high in self.ranges)
            or any(classes[name](char) for name in self.classes)
        )
        return inside is not self.negated


@dataclass(frozen=True, slots=True)
class _Node:
    """A parsed pattern: kind is "chars", "seq", "alt" or "repeat" (low..high, high None: unbounded)."""

    kind: str
    parts: tuple[_Node, ...] = ()
    chars: _Chars | None = None
    low: int = 0
    high: int | None = None


class _Parser:
    def __init__(self, text: str, names: Mapping[str, _Node], variants: Mapping[str, str]) -> None:
        self.text, self.at, self.names, self.variants = text, 0, names, variants

    def parse(self) -> _Node:
        node = self._alternatives()
        if self.at != len(self.text):
            raise ValueError(f"pattern {self.text!r}: unexpected {self.text[self.at]!r} at {self.at}")
        return node

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def _alternatives(self) -> _Node:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._take()
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Node("alt", tuple(parts))

    def _sequence(self) -> _Node:
        parts = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else _Node("seq", tuple(parts))

    def _repeated(self) -> _Node:
        node = self._single()
        while (sign := self._peek()) and sign in "*+?{":
            self._take()
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign, (0, None))
            if sign == "{":
                end = self.text.index("}", self.at)
                bounds = [int(number) for number in self.text[self.at : end].split(",")]
                low, high, self.at = bounds[0], bounds[-1], end + 1
            node = _Node("repeat", (node,), low=low, high=high)
        return node

    def _single(self) -> _Node:
        char = self._take()
        if char == "(":
            node = self._alternatives()
            self._take()
            return node
        if char == "<":
            end = self.text.index(">", self.at)
            name, self.at = self.text[self.at : end], end + 1
            return self.names[name]
        if char == "[":
            return _Node("chars", chars=self._set())
        if char == "\\":
            if self._peek() in ("L", "U", "D"):
                return _Node("chars", chars=_Chars(frozenset(), classes=self._take()))
            char = self._escaped()
        both = self.variants.get(char.lower(), char.lower() + char.upper())
        return _Node("chars", chars=_Chars(frozenset(both)))

    def _escaped(self) -> str:
        char = self._take()
        if char == "u":
            self.at += 4
            return chr(int(self.text[self.at - 4 : self.at], 16))
        return {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "0": "\0"}.get(char, char)

    def _set(self) -> _Chars:
        negated = self._peek() == "^"
        if negated:
            self._take()
        singles: set[str] = set()
        ranges: list[tuple[str, str]] = []
        while (char := self._take()) != "]":
            if char == "\\":
                char = self._escaped()
            if self._peek() == "-" and self.text[self.at + 1] != "]":
                self._take()
                high = self._take()
                ranges.append((char, self._escaped() if high == "\\" else high))
            else:
                singles.add(char)
        return _Chars(frozenset(singles), tuple(ranges), negated=negated)


class _Automaton:
    """The union of some patterns as a deterministic automaton, built as far as texts have needed it."""

    def __init__(self, nodes: Sequence[_Node], classes: Mapping[str, Callable[[str], bool]]) -> None:
        self._classes = classes
        self._sets: dict[_Chars, int] = {}
        self._empty: list[list[int]] = []
        self._edges: list[list[tuple[int, int]]] = []
        self._final: dict[int, int] = {}
        self._sets_of: dict[str, frozenset[int]] = {}
        self._lock = threading.Lock()
        start = self._new()
        for index, node in enumerate(nodes):
            first, last = self._build(node)
            self._empty[start].append(first)
            self._final[last] = index
        self.steps: list[dict[str, int]] = []
        self.accepts: list[int] = []
        self.stuck: list[bool] = []
        self._members: list[frozenset[int]] = []
        self._ids: dict[frozenset[int], int] = {}
        self._state(self._closure({start}))

    def _new(self) -> int:
        self._empty.append([])
        self._edges.append([])
        return len(self._empty) - 1

    def _build(self, node: _Node) -> tuple[int, int]:
        first, last = self._new(), self._new()
        if node.chars is not None:
            self._edges[first].append((self._sets.setdefault(node.chars, len(self._sets)), last))
        elif node.kind == "alt":
            for part in node.parts:
                begin, end = self._build(part)
                self._empty[first].append(begin)
                self._empty[end].append(last)
        else:
            parts = node.parts if node.kind == "seq" else node.parts * node.low
            at = first
            for part in parts:
                begin, end = self._build(part)
                self._empty[at].append(begin)
                at = end
            if node.kind == "repeat":
                for _ in range((node.high or node.low + 1) - node.low):
                    begin, end = self._build(node.parts[0])
                    self._empty[at].extend([begin, last])
                    if node.high is None:
                        self._empty[end].append(begin)
                    at = end
            self._empty[at].append(last)
        return first, last

    def _closure(self, states: set[int]) -> frozenset[int]:
        todo = list(states)
        while todo:
            for state in self._empty[todo.pop()]:
                if state not in states:
                    states.add(state)
                    todo.append(state)
        return frozenset(state for state in states if self._edges[state] or state in self._final)

    def _state(self, members: frozenset[int]) -> int:
        if not members:
            return _DEAD
        if members not in self._ids:
            finals = [self._final[state] for state in members if state in self._final]
            self.steps.append({})
            self.accepts.append(min(finals, default=-1))
            self.stuck.append(not any(self._edges[state] for state in members))
            self._members.append(members)
            self._ids[members] = len(self._members) - 1
        return self._ids[members]

    def step(self, state: int, char: str) -> int:
        """The state after `char`; -1 when nothing can match any more."""
        with self._lock:
            if char not in self._sets_of:
                self._sets_of[char] = frozenset(
                    index for chars, index in self._sets.items() if chars.holds(char, self._classes)
                )
            held = self._sets_of[char]
            edges = (edge for member in self._members[state] for edge in self._edges[member])
            reached = {target for chars, target in edges if chars in held}
            following = self._state(self._closure(reached))
            self.steps[state][char] = following
        return following

    def longest(self, text: str, start: int) -> tuple[int, int, int]:
        """(index of the pattern, end of its match, how far the text was read); pattern -1: no match."""
        steps, accepts, stuck = self.steps, self.accepts, self.stuck
        state, pattern, end, at, size = 0, -1, start, start, len(text)
        while at < size:
            char = text[at]
            following = steps[state].get(char)
            state = self.step(state, char) if following is None else following
            at += 1
            if state < 0:
                break
            if accepts[state] >= 0:
                pattern, end = accepts[state], at
                if stuck[state]:  # nothing longer can match, whatever follows: it is not looked at
                    break
        return pattern, end, at

    def ends(self, text: str, start: int, limit: int) -> list[int]:
        """All positions in start..limit at which a match from `start` may end."""
        found, state = [], 0
        for at in range(start, limit):
            following = self.steps[state].get(text[at])
            state = self.step(state, text[at]) if following is None else following
            if state < 0:
                break
            if self.accepts[state] >= 0:
                found.append(at + 1)
        return found


class Lexer:
    """Finds, at a position, the rule with the longest match (its look-ahead included) and the end of its
    token.

    Args:
        rules: in order of precedence among equally long matches.
        names: named patterns, each defined before its use.
        classes: what ``\\L``, ``\\U`` and ``\\D`` mean.
        variants: lower-case character -> all characters a literal of it matches, where these are not just the
            two cases.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        names: Mapping[str, str],
        classes: Mapping[str, Callable[[str], bool]],
        variants: Mapping[str, str],
    ) -> None:
        parsed: dict[str, _Node] = {}
        for name, pattern in names.items():
            parsed[name] = _Parser(pattern, parsed, variants).parse()

        def parse(pattern: str) -> _Node:
            return _Parser(pattern, parsed, variants).parse()

        nodes = [(parse(rule.pattern), parse(rule.follow) if rule.follow else None) for rule in rules]
        self._all = _Automaton(
            [token if follow is None else _Node("seq", (token, follow)) for token, follow in nodes], classes
        )
        self._parts = {
            index: (_Automaton([token], classes), _Automaton([follow], classes))
            for index, (token, follow) in enumerate(nodes)
            if follow is not None
        }

    def match(self, text: str, start: int) -> tuple[int, int, int]:
        """(rule, end of the token, how far the text was read) at `start`; rule -1: no rule matches there."""
        rule, end, read = self._all.longest(text, start)
        if rule in self._parts:
            token, follow = self._parts[rule]
            end = next(
                at for at in reversed(token.ends(text, start, end)) if end in follow.ends(text, at, end)
            )
        return rule, end, read
