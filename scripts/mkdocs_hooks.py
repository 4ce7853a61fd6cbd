"""Hooks of MkDocs that add pages from outside docs/ to the site, and rewrite the links between all pages.

Pages link to each other by their paths in the repository, so that the links work there too. The pages in
`extra.repository_pages` are below `repository/` in the site. A link to any other file of the repository becomes text.
"""

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "repository"
_FENCE = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]`]|`[^`]*`)*)\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
# Below `mkdocs`, so that its warnings count with --strict.
log = logging.getLogger("mkdocs.hooks.repository")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the repository that are outside docs/."""
    for path in config.extra["repository_pages"]:
        files.append(File.generated(config, _in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Replace links between paths of the repository by links between pages of the site."""
    pages = {_in_site(path): path for path in config.extra["repository_pages"]}
    here = page.file.src_uri
    parts = _FENCE.split(markdown)
    # The odd parts are code blocks.
    parts[::2] = [_LINK.sub(lambda link: _moved(link, here, pages), part) for part in parts[::2]]
    return "".join(parts)


def _moved(link: re.Match[str], here: str, pages: dict[str, str]) -> str:
    """Return a link of the page `here` as it is in the site.

    Args:
        link: the link in the repository.
        here: the page in the site.
        pages: the pages from outside docs/, from the path in the site to the path in the repository.
    """
    source = pages.get(here, f"docs/{here}")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
    if there.startswith("docs/"):
        target = there.removeprefix("docs/")
    elif there in pages.values():
        target = _in_site(there)
    else:
        if not (ROOT / there).exists():
            log.warning("%s links to %s, which does not exist", source, there)
        return link["text"] if there in link["text"] else f"{link['text']} (`{there}`)"
    relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
    return f"{link['image']}[{link['text']}]({relative}{link['anchor'] or ''})"


def _in_site(path: str) -> str:
    """Return the path in the site of a page outside docs/. MkDocs would make a README the index of its section."""
    return f"{FOLDER}/{path.replace('/README.md', '.md')}"
