#!/usr/bin/env python3
"""Writes unicode_table.inc: the general category of every code point, as runs from U+0000 on.

Run by hand when the Unicode version is to change, with the PyPI package unicodedata2 of that version, and perl:
    python3 unicode_table.py > unicode_table.inc
A run is {length, category, age}; age is 8 for what stood in Unicode 8, 9 for what came with Unicode 9, 16 for later
characters: Hugging Face's normalizers know characters of those versions only.
"""
import subprocess

import unicodedata2

AGES = r'for $c (0..0x10ffff) { $_ = chr $c; print /\p{Present_In=8.0}/ ? "8 " : /\p{Present_In=9.0}/ ? "9 " : "16 " }'
ages = [int(a) for a in subprocess.run(["perl", "-e", AGES], capture_output=True, text=True, check=True).stdout.split()]
runs = []
for code in range(0x110000):
    category = unicodedata2.category(chr(code))
    age = 8 if category in ("Cn", "Cs") else ages[code]
    if runs and runs[-1][1:] == [category, age]:
        runs[-1][0] += 1
    else:
        runs.append([1, category, age])
print("// Unicode %s; made by unicode_table.py." % unicodedata2.unidata_version)
line = ""
for length, category, age in runs:
    entry = "{%d,%s,%d}," % (length, category, age)
    if len(line) + len(entry) > 110:
        print(line)
        line = ""
    line += entry
print(line)
