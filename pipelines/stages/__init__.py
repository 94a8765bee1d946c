"""The four stages of a night; each reads committed tables only and ends in a committed table."""
