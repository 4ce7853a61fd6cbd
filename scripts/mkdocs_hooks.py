"""Hooks of MkDocs: the site also shows the pages that stand beside the code, and links between all of them work.

Pages link to each other by their places in the repository, so that they can be read there too. The site has the pages
of `extra.repository_pages` below `repository/`; a link to any other file of the repository becomes plain text.
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
_log = logging.getLogger("mkdocs.hooks.repository")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the repository that stand outside of docs/."""
    for path in config.extra["repository_pages"]:
        files.append(File.generated(config, _in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links between places of the repository into links between places of the site."""
    pages = {_in_site(path): path for path in config.extra["repository_pages"]}
    here = page.file.src_uri
    parts = _FENCE.split(markdown)
    # What stands at odd places is code.
    parts[::2] = [_LINK.sub(lambda link: _moved(link, here, pages), part) for part in parts[::2]]
    return "".join(parts)


def _moved(link: re.Match[str], here: str, pages: dict[str, str]) -> str:
    """Return a link of the page `here` for the site; `pages` has the place in the repository of each other page."""
    source = pages.get(here, f"docs/{here}")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
    if there.startswith("docs/"):
        target = there.removeprefix("docs/")
    elif there in pages.values():
        target = _in_site(there)
    else:
        if not (ROOT / there).exists():
            _log.warning("%s links to %s, which does not exist", source, there)
        return link["text"] if there in link["text"] else f"{link['text']} (`{there}`)"
    relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
    return f"{link['image']}[{link['text']}]({relative}{link['anchor'] or ''})"


def _in_site(path: str) -> str:
    """Return the place in the site of a page outside of docs/. A README would be taken for the page of its section."""
    return f"{FOLDER}/{path.replace('/README.md', '.md')}"
