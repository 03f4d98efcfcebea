"""`mlops init`: somebody's table -> the YAML of its model, with the reason beside each line.

`reading` looks at a bounded sample, one module of rules each decides what a column is, who is who
and what gives the target away, and `baseline` runs the product's own functions on the sample before
anything is written. Every rule is a row of docs/reference/init.md. Nothing here writes a file or
speaks.
"""
