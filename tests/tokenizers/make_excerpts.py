#!/usr/bin/env python3
"""Cuts out of published rank files the tokens that the texts of vectors_test.cc can be made of: those are merged as with
the whole file, and keep their ids.

    python3 make_excerpts.py VOCABULARIES
VOCABULARIES holds llama3.model and tekken_240718.json, as make_golden.py tells.
"""
import base64
import json
import os
import re
import sys

from sample_text import HERE

source = open(os.path.join(HERE, "vectors_test.cc"), encoding="utf-8").read()
texts = [json.loads('"' + t + '"').encode("utf-8") for t in re.findall(r'^ +\{"((?:[^"\\]|\\.)*)",$', source, re.M)]
folder = sys.argv[1]
llama3 = [line.split() for line in open(os.path.join(folder, "llama3.model"))]
tekken = json.load(open(os.path.join(folder, "tekken_240718.json")))
first = tekken["config"]["default_num_special_tokens"]
ranked = tekken["vocab"][:tekken["config"]["default_vocab_size"] - first]
for name, tokens in (("llama3", [(base64.b64decode(t), int(rank)) for t, rank in llama3]),
                     ("nemo", [(base64.b64decode(v["token_bytes"]), first + v["rank"]) for v in ranked])):
    with open(os.path.join(HERE, "data", name + "_excerpt.tiktoken"), "w") as f:
        for token, id in tokens:
            if len(token) == 1 or any(token in text for text in texts):
                f.write("%s %d\n" % (base64.b64encode(token).decode(), id))
print(len(texts), "texts")
