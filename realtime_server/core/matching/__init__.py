"""Matching: which records of two sides belong together, how sure that is, and why. Pure and deterministic.

`table` reads records into columns; `blocking` finds the pairs that are worth a look; `comparisons` says how alike they
are; `model` learns from the data what likeness is worth (Fellegi and Sunter 1969, weights by expectation
maximisation) and lets candidates compete one to one; `reversals`, `references` and `sums` find groups of more than two;
`rules` says what a project wants, `rejections` what people have refused; `propose` brings it together; `explain` puts
it in words.
"""
