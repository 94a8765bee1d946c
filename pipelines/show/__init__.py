"""One principal looked at: gathered from what the nights wrote, drawn by pipelines.report."""
