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
        files.append(File.generated(config, f"{FOLDER}/{path}", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links between places of the repository into links between places of the site."""
    here = page.file.src_uri
    parts = _FENCE.split(markdown)
    # What stands at odd places is code.
    parts[::2] = [
        _LINK.sub(lambda link: _moved(link, here, config.extra["repository_pages"]), part) for part in parts[::2]
    ]
    return "".join(parts)


def _moved(link: re.Match[str], here: str, repository_pages: list[str]) -> str:
    there = posixpath.normpath(posixpath.join(posixpath.dirname(_in_repository(here)), link["path"]))
    if there.startswith("docs/"):
        target = there.removeprefix("docs/")
    elif there in repository_pages:
        target = f"{FOLDER}/{there}"
    else:
        if not (ROOT / there).exists():
            _log.warning("%s links to %s, which does not exist", _in_repository(here), there)
        return f"{link['text']} (`{there}`)" if there not in link["text"] else link["text"]
    relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
    return f"{link['image']}[{link['text']}]({relative}{link['anchor'] or ''})"


def _in_repository(page: str) -> str:
    inside = f"{FOLDER}/"
    return page.removeprefix(inside) if page.startswith(inside) else f"docs/{page}"
