"""From `$1` to what a driver's database reads: the one tokenizer.

It finds the placeholders of a statement and leaves alone what only looks like one: in strings,
comments, quoted identifiers and dollar quotes. It knows where tokens end and nothing else; whether
a statement makes sense is the database's to say. What has no end runs to the end of the text.

Source: PostgreSQL, "Lexical Structure"; SQLite, "SQL As Understood By SQLite", tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, final

from qicore_core import QiError, Result, failure, success

from .errors import SYNTAX, UNSUPPORTED, misused

__all__ = ["Dialect", "Statement", "Statements"]

_CACHED: Final = 512  # statements
_CACHED_CHARACTERS: Final = 8_192  # of one statement: one written by a program is read each time
_CONTROLS: Final = frozenset(
    ("begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release")
)
_ENDS: Final = frozenset(("end", "over"))  # of a statement, or of the script
_ASIDE: Final = frozenset(("aside", "block", "nested")) | _ENDS  # tokens that begin no statement
_TELLING: Final = 5  # words: `create or replace constraint trigger`, and the one after
_READS: Final = frozenset(("select", "values", "table", "show"))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a database reads statements, as far as placeholders go.

    Attributes:
        placeholder: what it writes for `$1`: the same, or by position "?" or "%s".
        has_brackets: `[a name]` is an identifier (SQLite) and not an index of an array.
        has_dollar_quotes: `$$ ... $$` and `$tag$ ... $tag$` are strings.
        has_escapes: in `E'...'` a backslash takes the next character with it.
        nests_comments: `/* /* */ */` is one comment.
    """

    placeholder: Literal["$1", "?", "%s"] = "$1"
    has_brackets: bool = False
    has_dollar_quotes: bool = True
    has_escapes: bool = True
    nests_comments: bool = True


@final
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Statement:
    """A statement as a driver sends it. Its text is in no repr, as it belongs in no log.

    Attributes:
        text: in the driver's dialect.
        keyword: its first word, in lower case; "" where it has none.
        size: how many parameters it takes.
        order: where the text needs the parameters in another order than `$1`, `$2`: which one
            stands at each place, from 0.
    """

    text: str
    keyword: str = ""
    size: int = 0
    order: tuple[int, ...] | None = None

    @property
    def is_read(self) -> bool:
        """Whether it begins as one that changes nothing, so that doing it twice does no harm."""
        return self.keyword in _READS

    def arrange(self, params: Sequence[object], /) -> Sequence[object]:
        """Give the parameters in the order in which the driver binds them."""
        return params if self.order is None else [params[place] for place in self.order]

    def misfit(self, params: Sequence[object], /) -> QiError:
        """Make the error of more or fewer parameters than it takes."""
        return misused(
            f"the statement takes {self._counted()}, not {len(params)}",
            "give one for each of $1, $2, ...",
        )

    def __repr__(self) -> str:
        return f"<Statement {self.keyword or 'empty'}, {self._counted()}>"

    def _counted(self) -> str:
        return "1 parameter" if self.size == 1 else f"{self.size} parameters"


@final
class Statements:
    """Reads statements for one dialect, and remembers those that come again.

    >>> read = Statements(Dialect(placeholder="?")).read
    >>> read("select '$1', $1 -- not $2").unwrap().text
    "select '$1', ? -- not $2"
    """

    __slots__ = ("_dialect", "_pattern", "_remembered")

    def __init__(self, dialect: Dialect, /) -> None:
        self._dialect = dialect
        self._pattern = _pattern(dialect)
        self._remembered = lru_cache(_CACHED)(self._read)

    def read(self, sql: str, /) -> Result[Statement]:
        """Read a statement with `$1` placeholders.

        Errors:
            DB_SYNTAX: a number is left out, or the first is not $1.
            DB_UNSUPPORTED: it begins or ends a transaction, which is `transaction()`'s to do.
        """
        return self._remembered(sql) if len(sql) <= _CACHED_CHARACTERS else self._read(sql)

    def _read(self, sql: str) -> Result[Statement]:
        placeholder = self._dialect.placeholder
        keyword, done = "", 0
        written: list[str] = []
        used: list[int] = []
        for kind, begin, end in self._tokens(sql):
            if kind == "word":
                keyword = keyword or sql[begin:end].lower()
            elif kind == "place":
                used.append(int(sql[begin + 1 : end]))
                place = sql[begin:end] if placeholder == "$1" else placeholder
                written += [self._plain(sql[done:begin]), place]
                done = end
        wrong = _gap(used) or _control(keyword)
        if wrong is not None:
            return failure(wrong)
        written.append(self._plain(sql[done:]))
        size = max(used, default=0)
        is_in_order = placeholder == "$1" or used == list(range(1, size + 1))
        order = None if is_in_order else tuple([number - 1 for number in used])
        return success(Statement("".join(written), keyword, size, order))

    def split(self, script: str, /) -> list[tuple[int, str]]:
        r"""Give the statements of a script, each with the number of the line where it begins.

        A `;` ends a statement, but not in the body of a trigger (`begin ...; end`) or of a function
        (`begin atomic ...; end`): there only the one behind `; end` does.

        >>> Statements(Dialect()).split("select ';'; -- none;\n\nselect 2;")
        [(1, "select ';'"), (3, 'select 2')]
        """
        found: list[tuple[int, str]] = []
        words: list[str] = []  # of the statement: as many as say whether it has a body
        start, done, line, counted = -1, 0, 1, 0
        is_body, last = False, ""
        for kind, begin, end in [*self._tokens(script), ("over", len(script), len(script))]:
            between = script[done:begin]
            done = end
            if start < 0 and not between.isspace() and between:
                start = begin - len(between.lstrip())
            elif start < 0 and kind not in _ASIDE:
                start = begin
            if kind == "word":
                word = script[begin:end].lower()
                words += [word] if len(words) < _TELLING else []
                is_body = _is_in_body(is_body, words, last, word)
                last = word
            elif kind == "end" and is_body:
                last = ";"
            elif kind in _ENDS:
                if start >= 0:
                    line += script.count("\n", counted, start)
                    counted = start
                    found.append((line, script[start:begin].rstrip()))
                words, start, is_body, last = [], -1, False, ""
        return found

    def _tokens(self, sql: str) -> list[tuple[str, int, int]]:
        found: list[tuple[str, int, int]] = []
        position = 0
        while token := self._pattern.search(sql, position):
            position = token.end()
            if token.lastgroup == "nested":
                position = _end_of_comment(sql, position)
            found.append((token.lastgroup or "", token.start(), position))
        return found

    def _plain(self, text: str) -> str:
        return text.replace("%", "%%") if self._dialect.placeholder == "%s" else text


def _pattern(dialect: Dialect) -> re.Pattern[str]:
    """Write the tokens as one expression; none of them goes back, so the time is linear."""
    parts = [
        r"'(?:[^']++|'')*+'?",
        r'"(?:[^"]++|"")*+"?',
        r"`(?:[^`]++|``)*+`?",
        r"(?P<aside>--[^\n]*+)",
        r"(?P<end>;)",
    ]
    parts.append(
        r"(?P<nested>/\*)"
        if dialect.nests_comments
        else r"(?P<block>/\*(?:[^*]++|\*(?!/))*+(?:\*/)?)"
    )
    if dialect.has_escapes:
        parts.append(r"[eE]'(?:[^'\\]++|\\.|'')*+'?")
    if dialect.has_brackets:
        parts.append(r"\[[^\]]*+\]?")
    if dialect.has_dollar_quotes:
        parts.append(r"\$(?P<tag>(?:[^\W\d]\w*+)?+)\$.*?(?:\$(?P=tag)\$|\Z)")
    parts.append(r"[0-9][\w.$]*+")
    parts.append(r"(?P<word>[^\W\d][\w$]*+)")
    parts.append(r"(?P<place>\$[0-9]{1,9}+(?![\w$]))")
    return re.compile("|".join(parts), re.DOTALL)


_COMMENT: Final = re.compile(r"/\*|\*/")


def _end_of_comment(sql: str, position: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT.search(sql, position)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _is_in_body(was: bool, words: list[str], last: str, word: str) -> bool:
    """Tell whether what follows a word is in the body of a trigger or a function."""
    if was:
        return not (word == "end" and last in (";", "atomic"))
    if words[0] != "create":
        return False
    if "trigger" in words:
        return word == "begin"
    return word == "atomic" and last == "begin"


def _gap(used: list[int]) -> QiError | None:
    numbers = set(used)
    left_out = next((one for one in range(1, len(numbers) + 1) if one not in numbers), None)
    if left_out is None:
        return None
    said = "$0 is no placeholder" if 0 in numbers else f"the statement never uses ${left_out}"
    return QiError.validation(SYNTAX, said, hint="count placeholders from $1", source="sql")


def _control(keyword: str) -> QiError | None:
    if keyword not in _CONTROLS:
        return None
    return QiError.unsupported(
        UNSUPPORTED,
        f"a statement does not {keyword} a transaction here",
        hint="use `async with db.transaction() as tx:`, and in it `tx.transaction()`",
        source="sql",
    )
