"""Ordinary lines to rows in compiled code; what it is not certain of, the SQL of pipelines/parsing/parse.py reads."""
