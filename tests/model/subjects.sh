# shellcheck shell=bash
# subjects.sh - the subjects of the model checker, in the order of their appearance, and the sources of
# the library that each is made of (beside the checker and tests/model/<subject>.c).

subjects=(deque)

declare -A sources=(
    [deque]="core/deque.c"
)

# The sources whose orders it must defend: others that it uses have subjects of their own.
declare -A judged=(
    [deque]="core/deque.c"
)
