"""Reads the summary in markdown back, with a parser of GitHub's dialect."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a markdown text: the texts of their cells, by row, without the ``code`` around them."""
    found: list[list[list[str]]] = []
    for token in PARSER.parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level >= 4:
            found[-1][-1].append(shown(token))
    return found


def shown(token: Token) -> str:
    """What is read there; but for the code that we write ourselves, nothing may be anything else than text."""
    parts = token.children or []
    assert {part.type for part in parts} <= {"text", "text_special", "html_inline"}, parts
    assert {part.content for part in parts if part.type == "html_inline"} <= {"<code>", "</code>"}
    return "".join(part.content for part in parts if part.type != "html_inline")
