#!/usr/bin/env python3
"""Writes unicode_ranges.inc: letters, numbers and spaces as ranges of code points.

Run by hand when the Unicode version is to change, with a Python whose unicodedata has that version:
    python3 unicode_ranges.py > unicode_ranges.inc
"""
import sys
import unicodedata

# The property White_Space; unicodedata does not hold it. It last changed in Unicode 6.3.
SPACES = [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]


def kind(code):
    if code in SPACES:
        return "S"
    major = unicodedata.category(chr(code))[0]
    return major if major in "LN" else ""


ranges = []
for code in range(0x110000):
    k = kind(code)
    if k and ranges and ranges[-1][2] == k and ranges[-1][1] == code - 1:
        ranges[-1][1] = code
    elif k:
        ranges.append([code, code, k])

print("// Unicode %s; made by unicode_ranges.py." % unicodedata.unidata_version)
line = ""
for first, last, k in ranges:
    entry = "{0x%x,0x%x,%s}," % (first, last, k)
    if len(line) + len(entry) > 110:
        print(line)
        line = ""
    line += entry
print(line)
