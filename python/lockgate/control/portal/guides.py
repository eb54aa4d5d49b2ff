"""Guides: texts in Markdown, rendered without anything that they could do to a page."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

MOST_GUIDES: Final = 100
MOST_BYTES: Final = 256 * 1024
_INDEX: Final = "index"


def read_guides(folder: Path) -> list[dict[str, str]]:
    """The guides of a folder, `index` and `README` first; files alone, none that leads elsewhere."""
    try:
        paths = sorted(folder.glob("*.md"))
        home = folder.resolve(strict=True)
    except OSError:
        return []
    found = []
    for path in paths[:MOST_GUIDES]:
        try:
            if path.resolve(strict=True).parent != home or path.stat().st_size > MOST_BYTES:
                continue
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found.append({"name": _name(path.stem), "title": _title(text, path.stem), "text": text})
    return sorted(found, key=lambda guide: (guide["name"] != _INDEX, guide["title"].lower()))


def _name(stem: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "guide"
    return _INDEX if name == "readme" else name


def _title(text: str, stem: str) -> str:
    found = re.search(r"^#\s+(.+?)\s*#*\s*$", text, re.MULTILINE)
    return found[1][:120] if found else stem.replace("-", " ").replace("_", " ").capitalize()


def rendered(text: str, *, headings_from: int = 2) -> SafeString:
    """Markdown as HTML: raw HTML is shown as text, links lead to pages alone, pictures become links.

    Args:
        text: The Markdown.
        headings_from: The level of its first headings on the page.
    """
    environment = {"shift": headings_from - 1}
    # The renderer escapes all texts, and knows no raw HTML.
    return SafeString(_renderer().render(text, environment))


def in_line(text: str) -> SafeString:
    """A line of Markdown as HTML, without a paragraph of its own."""
    return SafeString(_renderer().renderInline(text, {"shift": 0}))


def body_of(guide: str) -> str:
    """A guide without the heading that is its title."""
    return re.sub(r"\A\s*#\s+.*\n", "", guide, count=1)


@cache
def _renderer() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    made.validateLink = _leads_to_a_page  # type: ignore[method-assign]
    for rule, function in (
        ("heading_open", _heading),
        ("heading_close", _heading),
        ("image", _picture),
        ("link_open", _link),
        ("td_open", _cell),
        ("th_open", _cell),
        ("table_open", _table_open),
        ("table_close", _table_close),
    ):
        made.add_render_rule(rule, function)
    return made


def _leads_to_a_page(url: str) -> bool:
    return re.match(r"(?:https?://|mailto:|/(?!/)|#|[\w.-]+(?:[/#?]|$))", url, re.IGNORECASE) is not None


def _heading(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index].copy()
    level = min(6, int(token.tag[1:]) + int(env.get("shift", 0)))
    token.tag = f"h{level}"
    return renderer.renderToken([*tokens[:index], token, *tokens[index + 1 :]], index, options, env)


def _picture(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    # Nothing is loaded from elsewhere, and guides bring no files along.
    token = tokens[index]
    return renderer.renderInlineAsText(token.children, options, env)


def _link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index].copy()
    if str(token.attrGet("href") or "").startswith(("http://", "https://")):
        token.attrSet("rel", "noopener noreferrer nofollow")
    elif str(token.attrGet("href") or "").endswith(".md"):
        token.attrSet("href", _sibling(str(token.attrGet("href"))))
    return renderer.renderToken([*tokens[:index], token, *tokens[index + 1 :]], index, options, env)


def _sibling(href: str) -> str:
    """Another guide of the same folder, by the address of its page."""
    return f"../{_name(href.rpartition('/')[2].removesuffix('.md'))}/"


def _cell(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index].copy()
    # Columns are aligned by a style, which our pages do not allow.
    token.attrs = {name: value for name, value in token.attrs.items() if name != "style"}
    return renderer.renderToken([*tokens[:index], token, *tokens[index + 1 :]], index, options, env)


def _table_open(*_: Any) -> str:  # noqa: ANN401 - as the renderer calls it
    return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'


def _table_close(*_: Any) -> str:  # noqa: ANN401
    return "</table></div>"
