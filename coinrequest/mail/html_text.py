"""Converts HTML to plain text, for mail programs that do not show HTML.

The parser of the standard library takes minutes for some texts of 100 KB in many versions of Python. This one runs in
linear time.
"""

import html
import re

# A tag never extends beyond the next "<", so no character is read twice.
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*)>|<[!?/][^<>]*>""")
_ATTRIBUTE = r"""(?i:\b{name})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
_HREF = re.compile(_ATTRIBUTE.format(name="href"))
_ALT = re.compile(_ATTRIBUTE.format(name="alt"))
_HIDDEN = frozenset({"head", "script", "style", "template"})
_PARAGRAPHS = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})
_LINES = frozenset({"address", "article", "dd", "div", "dl", "dt", "footer", "header", "hr", "li", "section", "tr"})
_WHITESPACE = ("\n", "\t", " ")


def plain_text(document: str) -> str:
    """Return the text of an HTML document: one line per block, tabs between cells, and the addresses of links.

    Args:
        document: a complete document or a fragment; malformed HTML is accepted.
    """
    reader = _Reader()
    position = 0
    document = _without_comments(document)
    for tag in _TAG.finditer(document):
        reader.text(document[position : tag.start()])
        if tag[2]:
            reader.tag(tag[2].lower(), closes=bool(tag[1]), attributes=tag[3])
        position = tag.end()
    reader.text(document[position:])
    lines = (line.rstrip() for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _without_comments(document: str) -> str:
    first, *others = document.split("<!--")
    return first + "".join(other.partition("-->")[2] for other in others)


class _Reader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._hidden = ""
        self._verbatim = False
        self._link = ""

    def tag(self, name: str, *, closes: bool, attributes: str) -> None:
        if self._hidden:
            if closes and name == self._hidden:
                self._hidden = ""
            return
        if name in _PARAGRAPHS:
            self._break("\n\n")
        elif name in _LINES or name == "br":
            self._break("\n", again=name == "br")
        if name == "pre":
            self._verbatim = not closes
        elif closes and name in {"td", "th"}:
            self._break("\t", again=True)
        elif closes and name == "a":
            if self._link.startswith(("http://", "https://", "mailto:")) and self._link not in self.parts[-1:]:
                self.parts.append(f" ({self._link})")
            self._link = ""
        elif not closes:
            self._open(name, attributes)

    def _open(self, name: str, attributes: str) -> None:
        if name in _HIDDEN:
            self._hidden = name
        elif name == "a":
            self._link = _value(_HREF, attributes)
        elif name == "img":
            self.text(_value(_ALT, attributes))
        elif name == "li":
            self.parts.append("- ")

    def text(self, text: str) -> None:
        if self._hidden or not text:
            return
        plain = html.unescape(text)
        if not self._verbatim:
            plain = re.sub(r"\s+", " ", plain)
            if not self.parts or self.parts[-1].endswith(_WHITESPACE):
                plain = plain.lstrip()
        if plain:
            self.parts.append(plain)

    def _break(self, ends: str, again: bool = False) -> None:
        if self.parts and (again or not self.parts[-1].endswith(ends)):
            self.parts.append(ends)


def _value(attribute: re.Pattern[str], attributes: str) -> str:
    found = attribute.search(attributes)
    return html.unescape(next(filter(None, found.groups()), "")) if found else ""
