#!/usr/bin/env python3
"""Encodes one text with tiktoken (PyPI) and with bench-tokenizer in turn, one thread each, and prints MB/s of processor
time and their ratio.

    python3 bench/tokenizer/against_tiktoken.py cl100k cl100k_base.tiktoken text.txt [ROUNDS]
The pattern is gpt2, cl100k, llama3 or o200k. Both take the text whole; the ids are compared by their number (the tests
of tests/tokenizers compare them one by one).
"""
import os
import re
import statistics
import subprocess
import sys
import time

import tiktoken.load

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.append(os.path.join(ROOT, "tests", "tokenizers"))
from patterns import PATTERNS  # noqa: E402

name, ranks, path = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 7
theirs = tiktoken.Encoding(name, pat_str=PATTERNS[name], mergeable_ranks=tiktoken.load.load_tiktoken_bpe(ranks),
                           special_tokens={})
with open(path, encoding="utf-8", newline="") as f:
    text = f.read()
size = len(text.encode("utf-8"))
bench = [os.path.join(ROOT, "build", "release", "bin", "bench-tokenizer"), f"tiktoken:{name}:{ranks}", path, "0.3"]
rates = {"tiktoken": [], "galley": [], "galley, first pass": []}
for _ in range(rounds):
    start = time.process_time()
    count = len(theirs.encode_ordinary(text))
    rates["tiktoken"].append(size / (time.process_time() - start) / 1e6)
    out = subprocess.run(bench, capture_output=True, text=True, check=True).stdout
    if int(re.search(r"(\d+) tokens", out)[1]) != count:
        sys.exit(f"the ids differ: tiktoken has {count}, {out}")
    rates["galley"].append(float(re.search(r"median ([\d.]+) MB/s", out)[1]))
    rates["galley, first pass"].append(float(re.search(r"first ([\d.]+) MB/s", out)[1]))
print(f"{name}: {size / 1e6:.1f} MB, {count} tokens, {rounds} rounds in turn")
for who, values in rates.items():
    ratio = statistics.median(values) / statistics.median(rates["tiktoken"])
    best = max(values) / max(rates["tiktoken"])
    print(f"{who:18} median {statistics.median(values):6.1f} MB/s  [{min(values):.1f}-{max(values):.1f}]"
          f"  {ratio:4.1f} times tiktoken, bests {best:.1f}")
