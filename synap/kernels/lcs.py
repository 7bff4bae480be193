"""Longest common subsequence of two byte strings: the dynamic program, and the walk back through its table.

    table     (first + 1) * (second + 1) lengths of 4 bytes, row by row; the caller allocates it, which bounds it
    ranges    4 words each: first and last index in the first text, the same in the second; the last range first

Time and memory grow with the product of the sizes.
"""

from synap.compiler.jit import kernel

RANGE_WORDS = 4


@kernel
def fill(octets, first, first_size, second, second_size, table):
    """Fill the table for the texts at octets `first` and `second`; return the length of their LCS."""
    width = second_size + 1
    for j in range(width):
        table[j] = 0
    for i in range(1, first_size + 1):
        row = i * width
        above = row - width
        table[row] = 0
        byte = octets[first + i - 1]
        for j in range(1, width):
            if byte == octets[second + j - 1]:
                table[row + j] = table[above + j - 1] + 1
            else:
                table[row + j] = max(table[above + j], table[row + j - 1])
    return int(table[first_size * width + second_size])


@kernel
def trace(octets, first, first_size, second, second_size, table, text, ranges, least):
    """Walk back through the table, and collect the subsequence and its matches; return the number of ranges.

    `text` gets the subsequence, `ranges` its matches of at least `least` bytes. Ties go to the second text, as in
    Redis. `ranges` needs space for as many ranges as the subsequence has bytes.
    """
    width = second_size + 1
    i = first_size
    j = second_size
    left = int(table[i * width + j])
    count = 0
    start_i = start_j = end_i = end_j = -1
    while i > 0 and j > 0:
        if octets[first + i - 1] == octets[second + j - 1]:
            left -= 1
            text[left] = octets[first + i - 1]
            i -= 1
            j -= 1
            if start_i == i + 1 and start_j == j + 1:
                start_i = i
                start_j = j
                continue
            if start_i >= 0 and end_i - start_i + 1 >= least:
                count = put(ranges, count, start_i, end_i, start_j, end_j)
            start_i = end_i = i
            start_j = end_j = j
        elif table[(i - 1) * width + j] > table[i * width + j - 1]:
            i -= 1
        else:
            j -= 1
    if start_i >= 0 and end_i - start_i + 1 >= least:
        count = put(ranges, count, start_i, end_i, start_j, end_j)
    return count


@kernel
def put(ranges, count, start_i, end_i, start_j, end_j):
    """Append a range; return the number of ranges."""
    at = RANGE_WORDS * count
    ranges[at] = start_i
    ranges[at + 1] = end_i
    ranges[at + 2] = start_j
    ranges[at + 3] = end_j
    return count + 1
