"""Counting a night on Spark: the generated texts of features/sql on a session of this machine or of a cluster.

Imported only when Spark is asked for; pyspark is an extra. tests/real_spark/ compares it with DuckDB."""
