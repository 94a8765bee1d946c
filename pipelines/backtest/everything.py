"""Every kind that a back-test acts out, attacks first."""

from __future__ import annotations

from pipelines.backtest import credentials, innocent, probing, takeover
from pipelines.backtest.kinds import Kind

KINDS: tuple[Kind, ...] = (*credentials.KINDS, *takeover.KINDS, *probing.KINDS, *innocent.KINDS)
