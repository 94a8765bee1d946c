"""The site's settings, which Sphinx reads: `make docs` builds build/docs without a network.

Every page is Markdown that reads as well without it. tests/e2e/test_docs_site.py builds it, warnings as errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from pygments.lexers.python import PythonLexer
from pygments.lexers.sql import SqlLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "auditforest"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "auditforest"
html_copy_source = False
html_show_copyright = False
# as GitHub makes them, so that a link to a heading leads there on both
myst_heading_anchors = 4
nitpicky = True


def setup(app: Sphinx) -> None:
    """Teach Sphinx what the pages take for granted on GitHub."""
    # marked apart for the tests, which run them in a Spark session and in DuckDB
    app.add_lexer("spark", PythonLexer)
    app.add_lexer("duckdb", SqlLexer)
    app.connect("missing-reference", _of_the_checkout)


def _of_the_checkout(
    app: Sphinx, _env: BuildEnvironment, node: nodes.Element, text: nodes.TextElement
) -> nodes.TextElement | None:
    """The words of a link to a file of the checkout that is no page, without the link; None is a mistake."""
    path = str(node.get("reftarget", "")).partition("#")[0]
    return text if path.startswith("../") and (Path(app.srcdir) / path).exists() else None
