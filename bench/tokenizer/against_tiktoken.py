#!/usr/bin/env python3
"""Encodes one text with tiktoken (PyPI) and with bench-tokenizer in turn, one thread each, and prints MB/s of processor
time and their ratio.

    python3 bench/tokenizer/against_tiktoken.py cl100k_base.tiktoken text.txt [ROUNDS]
Both take the text whole, as cl100k; the ids are compared first, by their number.
"""
import os
import re
import statistics
import subprocess
import sys
import time

import tiktoken.load

PATTERN = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
           r"|\s+(?!\S)|\s")
BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/release/bin/bench-tokenizer")
ranks, path = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
theirs = tiktoken.Encoding("cl100k", pat_str=PATTERN, mergeable_ranks=tiktoken.load.load_tiktoken_bpe(ranks),
                           special_tokens={})
with open(path, encoding="utf-8") as f:
    text = f.read()
size = len(text.encode("utf-8"))
rates = {"tiktoken": [], "galley": []}
for _ in range(rounds):
    start = time.process_time()
    count = len(theirs.encode_ordinary(text))
    rates["tiktoken"].append(size / (time.process_time() - start) / 1e6)
    out = subprocess.run([BENCH, "tiktoken:cl100k:" + ranks, path, "0.3"], capture_output=True, text=True, check=True).stdout
    if int(re.search(r"(\d+) tokens", out)[1]) != count:
        sys.exit(f"the ids differ: tiktoken has {count}, {out}")
    rates["galley"].append(float(re.search(r"median ([\d.]+) MB/s", out)[1]))
for name, values in rates.items():
    print(f"{name:9} median {statistics.median(values):6.1f} MB/s  [{min(values):.1f}-{max(values):.1f}]")
print(f"galley / tiktoken: {statistics.median(rates['galley']) / statistics.median(rates['tiktoken']):.1f} "
      f"({size / 1e6:.1f} MB, {count} tokens, {rounds} rounds in turn)")
