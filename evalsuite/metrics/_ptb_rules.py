# ruff: noqa: E501 (a pattern broken in two is harder to read than a long line)
r"""The Penn Treebank rules of the caption tokenizer, for `_lexer`.

They describe what Stanford's PTBTokenizer 3.4.1 accepts (the one that pycocoevalcap drives), in the order
that decides between equally long tokens. Each rule says what becomes of its token: `text` maps it, `split`
gives that many characters back before the token is made (cannot -> can + not), `repeat` gives them back after
it (etc. -> etc. and again the period, at the end of a sentence).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from evalsuite.metrics._lexer import Rule

NEWLINE_TOKEN = "*NL*"


@dataclass(frozen=True, slots=True)
class TokenRule(Rule):
    """A rule with what it makes of its token; `text` returning None makes no token."""

    text: Callable[[str], str | None] = str
    split: int = 0
    repeat: int = 0


def _fixed(token: str) -> Callable[[str], str | None]:
    return lambda _: token


def _nothing(_: str) -> None:
    return None


def _soft_hyphens(text: str) -> str:
    return (text.replace("\u00ad", "") or "-") if "\u00ad" in text else text


def _no_spaces(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _parentheses(text: str) -> str:
    return text.replace("(", "-LRB-").replace(")", "-RRB-")


def _ampersands(text: str) -> str:
    return re.sub("&amp;", "&", text, flags=re.IGNORECASE)


_CURRENCY = str.maketrans({"\u00a2": "cents", "\u00a3": "#"} | dict.fromkeys("\u0080\u00a4\u20a0\u20ac", "$"))
_FRACTIONS = str.maketrans(
    {"\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
)
_CURLY_QUOTES = str.maketrans(
    dict.fromkeys("\u0091\u2018\u201b\u2039", "`")
    | dict.fromkeys("\u0092\u2019\u203a", "'")
    | dict.fromkeys("\u0093\u201c\u00ab", "``")
    | dict.fromkeys("\u0094\u201d\u00bb", "''")
)


def _opening_quote(text: str) -> str:
    text = text.replace("&apos;", "`").replace("'", "`").replace('"', "``").replace("&quot;", "``")
    return text.translate(_CURLY_QUOTES)


def _closing_quote(text: str) -> str:
    text = text.replace("&apos;", "'").replace('"', "''").replace("&quot;", "''")
    return text.translate(_CURLY_QUOTES)


def _hyphens(text: str) -> str:
    return "--" if 3 <= len(text) <= 4 else text


def _words(text: str) -> str:
    """An alternation; `^` marks a word whose first letter must be a capital, everything else matches any
    case."""
    return "|".join(f"[{word[1]}]{word[2:]}" if word[0] == "^" else word for word in text.split())


# Abbreviations, by what usually follows them.
_MONTHS_AND_DAYS = "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thurs Fri"
_STATES = (
    "Ala Ariz ^Az ^Ark Calif Colo Conn Ct Dak ^Del Fla Ga ^Ill Ind Kan Kans Ky ^La ^Mass Md Mich Minn ^Miss Mo Mont "
    "Neb Nev Okla ^Ore ^Pa Penn Tenn ^Tex Va Vt ^Wash Wis Wisc Wyo"
)
_COMPANIES = "Inc Co Cos Corp Pt[ye] Pt[ye]s Ppt[ye] Ppt[ye]s Ltd Plc Rt Bancorp Bhd Assn Univ Intl Sys"
_AFTER_NAMES = r"tel est ext sq Jr Sr Bros (Ed|Ph)\.D Blvd Rd Esq etc al seq Bldg"
_TITLES = (
    "Mr Mrs Ms ^Miss Dr Drs Prof Profs Sen Sens Rep Reps Atty Attys Lt Col Gen Messrs Gov Govs Adm Rev Maj Sgt Cpl "
    "Pvt Capt St Ste Ave Pres Lieut Hon Brig Cmdr Comdr Pfc Spc Supt Supts Det Mt Ft Adj Adv Asst Assoc Ens Insp "
    "Mlle Mme Msgr Sfc"
)
_BEFORE_NAMES = r"vs Alex Wm Jos Cie a\.k\.a cf TREAS Ph Invt Elec Natl M[ft]g Dept"
_BEFORE_NUMBERS = "ca fig figs prop no nos art bldg pp op"
# Words that start a sentence, so that an acronym's period before them also ends one.
_STARTERS = (
    r"^About ^According ^Additionally ^After ^An [A] ^As ^At ^But ^Earlier ^He ^Her ^Here ^However ^If ^In ^It ^Last "
    r"^Many ^More ^Mr\. ^Ms\. ^Now ^Once ^One ^Other ^Our ^She ^Since ^So ^Some ^Such ^That ^The ^Their ^Then ^There "
    r"^These ^They ^This ^We ^When ^While ^What ^Yet ^You"
)
_FILE_ENDINGS = (
    "bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py "
    "sql tar txt wav x xml zip"
)
_NATIONS = r"(Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(U\.K|U\.S\.S\.R)"
_ATTRIBUTE = r"[A-Za-z][A-Za-z0-9_:.\-]*"

NAMES = {
    "SPACE": r"[ \t\u00A0\u2000-\u200A\u3000]",
    "NEWLINE": r"\r|\r?\n|[\u2028\u2029\u000B\u000C\u0085]",
    "BLANK": r"<SPACE>|<NEWLINE>",
    "DIGIT": r"\D|[\u07C0-\u07C9]",
    "TAG": (
        rf"\<([!?][A-Za-z\-][^>\r\n]*|{_ATTRIBUTE}([ ]+({_ATTRIBUTE}|{_ATTRIBUTE}[ ]*=[ ]*"
        rf"""('[^']*'|"[^"]*")))*[ ]*/?|/{_ATTRIBUTE})[ ]*\>"""
    ),
    "LETTER": (
        r"\L|&[aeiouAEIOU](acute|grave|uml);|[\u00AD\u0237-\u024F\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02FF\u0300-\u036F"
        r"\u0370-\u037D\u0384\u0385\u03CF\u03F6\u03FC-\u03FF\u0483-\u0487\u04CF\u04F6-\u04FF\u0510-\u0525"
        r"\u055A-\u055F\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0615-\u061A\u063B-\u063F\u064B-\u065E\u0670"
        r"\u06D6-\u06EF\u06FA-\u06FF\u070F\u0711\u0730-\u074F\u0750-\u077F\u07A6-\u07B1\u07CA-\u07F5\u07FA"
        r"\u0900-\u0903\u093C\u093E-\u094E\u0951-\u0955\u0962-\u0963\u0981-\u0983\u09BC-\u09C4\u09C7\u09C8"
        r"\u09CB-\u09CD\u09D7\u09E2\u09E3\u0A01-\u0A03\u0A3C\u0A3E-\u0A4F\u0A81-\u0A83\u0ABC-\u0ACF\u0B82"
        r"\u0BBE-\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCD\u0C01-\u0C03\u0C3E-\u0C56\u0D3E-\u0D44\u0D46-\u0D48\u0E30-\u0E3A"
        r"\u0E47-\u0E4E\u0EB1-\u0EBC\u0EC8-\u0ECD]"
    ),
    "SENTENCE_END": r"(<BLANK>)(<BLANK>|\U|<TAG>)",
    "APOSTROPHE": r"['\u0092\u2019]|&apos;",
    "ANY_APOSTROPHE": r"<APOSTROPHE>|[`\u0091\u2018\u201B]",
    "HYPHEN": r"[-_\u058A\u2010\u2011]",
    "WORD": r"<LETTER>(<LETTER>|<DIGIT>)*([.!?]<LETTER>(<LETTER>|<DIGIT>)*)*",
    "CLITIC": r"<APOSTROPHE>([msdMSD]|re|ve|ll)",
    "NOT": r"n<ANY_APOSTROPHE>t",
    "NUMBER": r"(<DIGIT>)+|(<DIGIT>)*([.:,\u00AD\u066B\u066C](<DIGIT>)+)+",
    "ALNUM": r"\L|\D",
    "THING_PART": r"([dDoOlL]<ANY_APOSTROPHE><ALNUM>)?(<ALNUM>)+",
    "THING": r"<THING_PART>(<HYPHEN><THING_PART>)*",
    "FIRM": r"[A-Z]+(([+&]|&amp;)[A-Z]+)+",
    "SLASH_PART": r"[A-Za-z0-9]+(-[A-Za-z]+){0,2}",
    "ACRONYM": rf"[A-Za-z](\.[A-Za-z])*|{_NATIONS}",
    "LONG_ACRONYM": rf"[A-Za-z](\.[A-Za-z])+|{_NATIONS}",
    "HYPHENATED": r"[A-Za-z0-9][A-Za-z0-9.,\u00AD]*(-([A-Za-z0-9\u00AD]+|<LONG_ACRONYM>\.))+",
    "ABBREVIATION": rf"({_words(_MONTHS_AND_DAYS + ' ' + _STATES + ' ' + _COMPANIES + ' ' + _AFTER_NAMES)})\.",
    "TITLE": rf"{_words(_TITLES + ' ' + _BEFORE_NAMES)}|<ACRONYM>",
    "COMMA": r"[,;:\u3001]",
    "STARTS_SENTENCE": rf"(<BLANK>)+({_words(_STARTERS)}|<TAG>)(<BLANK>)",
    "DOUBLE_QUOTE": r'"|&quot;',
    "PHONE": (
        r"(\([0-9]{2,3}\)[ \u00A0]?|(\+\+?)?([0-9]{2,4}[\- \u00A0])?[0-9]{2,4}[\- \u00A0])[0-9]{3,4}[\- \u00A0]?"
        r"[0-9]{3,5}|((\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}"
    ),
    "URL_TAIL": r'[^ \t\n\f\r"<>|.!?(){},-]',
}

_IN_URL = r'[^ \t\n\f\r"<>|(){}]'
_IN_EMAIL = r'[^ \t\n\f\r"<>|(){}.\u00A0]'

RULES: tuple[TokenRule, ...] = (
    TokenRule(r"c[+][+]"),
    TokenRule(r"(c|f)#"),
    TokenRule(r"cannot", split=3),
    TokenRule(r"'twas", split=3),
    TokenRule(r"'tis", split=2),
    TokenRule(r"gonna|gotta|lemme|gimme|wanna", split=2),
    TokenRule(r"<TAG>", text=_no_spaces),
    TokenRule(r"&(MD|mdash|ndash);|[\u0096\u0097\u2013\u2014\u2015]", text=_fixed("--")),
    TokenRule(r"&amp;", text=_ampersands),
    TokenRule(r"&(HT|TL|UR|LR|QC|QL|QR|odq|cdq|#[0-9]+);"),
    TokenRule(r"<WORD>", r"<CLITIC>", text=_soft_hyphens),
    TokenRule(r"[A-Za-z\u00AD]*[A-MO-Za-mo-z]\u00AD*", r"<NOT>", text=_soft_hyphens),
    TokenRule(r"<WORD>", text=_soft_hyphens),
    TokenRule(
        r"<APOSTROPHE>n<APOSTROPHE>?|[lLdDjJ]<APOSTROPHE>|Dunkin<APOSTROPHE>|somethin<APOSTROPHE>|ol<APOSTROPHE>"
        r"|<APOSTROPHE>em|[A-HJ-XZn]<ANY_APOSTROPHE>\L{2,2}\L*|<APOSTROPHE>[2-9]0s|<APOSTROPHE>till?"
        r"|\L\L*[aeiouyAEIOUY]<ANY_APOSTROPHE>[aeiouA-Z]\L*|<APOSTROPHE>cause|cont'd\.?|'twas|nor'easter|c'mon|e'er"
        r"|s'mores|ev'ry|li'l|nat'l|O<ANY_APOSTROPHE>o"
    ),
    TokenRule(r"y<APOSTROPHE>", r"\L"),
    TokenRule(rf"https?://{_IN_URL}+<URL_TAIL>"),
    TokenRule(
        r"""((www\.([^ \t\n\f\r"<>|.!?(){},]+\.)+[a-zA-Z]{2,4})|(([^
        \t\n\f\r"`'<>|.!?(){},-_$]+\.)+(com|net|org|edu)))"""
        r"""(/[^ \t\n\f\r"<>|()]+<URL_TAIL>)?"""
    ),
    TokenRule(
        r'(&lt;|\<)?[a-zA-Z0-9][^ \t\n\f\r"<>|()\u00A0{}]*@'
        rf"({_IN_EMAIL}+\.)*({_IN_EMAIL}+)(&gt;|\>)?"
    ),
    TokenRule(r"@[a-zA-Z_][a-zA-Z_0-9]*|#(<LETTER>)+"),
    TokenRule(r"<CLITIC>", r"[^A-Za-z]", text=_closing_quote),
    TokenRule(r"<NOT>", r"[^A-Za-z]", text=_closing_quote),
    TokenRule(r"(<DIGIT>){1,2}[\-/](<DIGIT>){1,2}[\-/](<DIGIT>){2,4}"),
    TokenRule(r"[\-+]?(<NUMBER>)", text=_soft_hyphens),
    TokenRule(r"[\u207A\u207B\u208A\u208B]?([\u2070\u00B9\u00B2\u00B3\u2074-\u2079]+|[\u2080-\u2089]+)"),
    TokenRule(r"((<DIGIT>){1,4}[- \u00A0])?(<DIGIT>){1,4}(\\?/|\u2044)(<DIGIT>){1,4}", text=_no_spaces),
    TokenRule(r"[\u00BC\u00BD\u00BE\u2153-\u215E]", text=lambda text: text.translate(_FRACTIONS)),
    TokenRule(
        r"-(RRB|LRB|RCB|LCB|RSB|LSB)-|C\.D\.s|pro-|anti-|S(&|&amp;)P-500|S(&|&amp;)Ls|Cap<APOSTROPHE>n|c<APOSTROPHE>est",
        text=_ampersands,
    ),
    TokenRule(r"<SLASH_PART>(\\?/<SLASH_PART>){1,2}"),
    TokenRule(r"[A-Z]*$|#"),
    TokenRule(
        r"[\u00A2\u00A3\u00A4\u00A5\u0080\u20A0\u20AC\u060B\u0E3F\u20A4\uFFE0\uFFE1\uFFE5\uFFE6]",
        text=lambda text: text.translate(_CURRENCY),
    ),
    # A single letter before a new sentence is no acronym: its period is given back for good.
    TokenRule(r"[A-Za-z]\.", r"<STARTS_SENTENCE>", split=1),
    TokenRule(r"(<ACRONYM>)\.", r"<STARTS_SENTENCE>", repeat=1),
    TokenRule(rf"({_words(_BEFORE_NUMBERS)})\.", r"(<BLANK>)?\D"),
    TokenRule(r"(pt[eyEY]|co)\.", r"<SPACE>(ltd|lim)"),
    TokenRule(r"<ABBREVIATION>", r"<SENTENCE_END>", repeat=1),
    TokenRule(r"<ABBREVIATION>", r"[^][^]"),
    TokenRule(r"<ABBREVIATION>", repeat=1),
    TokenRule(r"(<TITLE>)\."),
    TokenRule(r"<TITLE>", r"<SPACE>"),
    TokenRule(r"<ACRONYM>", r"<BLANK>"),
    TokenRule(r"<APOSTROPHE>[0-9][0-9]", r"<BLANK>"),
    TokenRule(
        rf"(<LETTER>|<DIGIT>)+([.](<LETTER>|<DIGIT>)+)*([.]({_words(_FILE_ENDINGS)}))", r"<BLANK>|[.?!,]"
    ),
    TokenRule(r"<WORD>\.", r"<COMMA>", text=_soft_hyphens),
    TokenRule(r"<PHONE>", text=lambda text: _parentheses(_no_spaces(text))),
    TokenRule(r"<DOUBLE_QUOTE>", r"[A-Za-z0-9$]", text=_opening_quote),
    TokenRule(r"<DOUBLE_QUOTE>", text=_closing_quote),
    TokenRule(r"\u007F", text=_nothing),
    TokenRule(r"\<|&lt;", text=_fixed("<")),
    TokenRule(r"\>|&gt;", text=_fixed(">")),
    TokenRule(r"[<>]?[:;=][\-o*']?[()DPdpO\\{@|\[\]]", r"[^A-Za-z0-9]", text=_parentheses),
    TokenRule(
        r"[\^x=~<>]\.\[\^x=[^<]*\<\>\]|[\-\^x=~<>']_[\-\^x=~<>']|\([\-\^x=~<>'][_.]?[\-\^x=~<>']\)"
        r"|\([\^x=~<>']-[\^x=~<>'`]\)",
        text=_parentheses,
    ),
    TokenRule(r"\{", text=_fixed("-LCB-")),
    TokenRule(r"\}", text=_fixed("-RCB-")),
    TokenRule(r"\[", text=_fixed("-LSB-")),
    TokenRule(r"\]", text=_fixed("-RSB-")),
    TokenRule(r"\(", text=_fixed("-LRB-")),
    TokenRule(r"\)", text=_fixed("-RRB-")),
    TokenRule(r"-+", text=_hyphens),
    TokenRule(r"\.{3,5}|(\.[ \u00A0]){2,4}\.|[\u0085\u2026]", text=_fixed("...")),
    TokenRule(r"@+|#+|_+"),
    TokenRule(r"\*+|(\\\*){1,3}"),
    TokenRule(r"<COMMA>"),
    TokenRule(r"[?!]+"),
    TokenRule(r"[.\u00A1\u00BF\u037E\u0589\u061F\u06D4\u0700-\u0702\u07FA\u3002]"),
    TokenRule(r"="),
    TokenRule(r"/"),
    TokenRule(r"<HYPHENATED>\.", r"<COMMA>", text=_soft_hyphens),
    TokenRule(r"<HYPHENATED>", text=_soft_hyphens),
    TokenRule(r"<THING>\.", r"<COMMA>"),
    TokenRule(r"<THING>"),
    TokenRule(r"<FIRM>\.", r"<COMMA>", text=_ampersands),
    TokenRule(r"<FIRM>", text=_ampersands),
    TokenRule(r"'", r"[A-Za-z][^ \t\n\r\u00A0]", text=_opening_quote),
    TokenRule(r"<CLITIC>", text=_closing_quote),
    TokenRule(r"<NOT>", text=_closing_quote),
    TokenRule(
        r"<APOSTROPHE>|''|[`\u2018\u2019\u201A\u201B\u201C\u201D\u0091\u0092\u0093\u0094\u201E\u201F\u2039\u203A"
        r"\u00AB\u00BB]{1,2}",
        text=_closing_quote,
    ),
    TokenRule(r"\<\<|\>\>"),
    TokenRule(
        r"[+%&~\^|\\\u00A6\u00A7\u00A8\u00A9\u00AC\u00AE\u00AF\u00B0-\u00B3\u00B4-\u00BA\u00D7\u00F7\u0387\u05BE\u05C0"
        r"\u05C3\u05C6\u05F3\u05F4\u0600-\u0603\u0606-\u060A\u060C\u0614\u061B\u061E\u066A\u066D\u0703-\u070D\u07F6"
        r"\u07F7\u07F8\u0964\u0965\u0E4F\u1FBD\u2016\u2017\u2020-\u2023\u2030-\u2038\u203B\u203E-\u2042\u2044"
        r"\u207A-\u207F\u208A-\u208E\u2100-\u214F\u2190-\u21FF\u2200-\u2BFF\u3012\u30FB\uFF01-\uFF0F\uFF1A-\uFF20"
        r"\uFF3B-\uFF40\uFF5B-\uFF65]"
    ),
    TokenRule(r"\0|(<SPACE>)+|[\u200B\u200E-\u200F\uFEFF]", text=_nothing),
    TokenRule(r"<NEWLINE>", text=_fixed(NEWLINE_TOKEN)),
    TokenRule(r"&nbsp;", text=_nothing),
    # What no rule knows is dropped without a word.
    TokenRule(r"[^\n]", text=_nothing),
)
