"""What every test can ask for."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden`, which `make golden` passes."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them")


@pytest.fixture
def rewrite_golden(pytestconfig: pytest.Config) -> bool:
    """Whether a golden file is to be written, not read."""
    return bool(pytestconfig.getoption("--golden"))
