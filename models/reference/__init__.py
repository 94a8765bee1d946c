"""The same forest without compiled code: trees grown by the rrcf package, walked in double precision."""
