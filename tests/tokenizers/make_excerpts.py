#!/usr/bin/env python3
"""Cuts out of published rank files the tokens that the texts of vectors_test.cc can be made of: those are merged as with
the whole file, and keep their ids.

    python3 make_excerpts.py VOCABULARIES
VOCABULARIES holds llama3.model and tekken_240718.json, as make_golden.py tells, and llama2_tokenizer.json, Llama 2's.
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
llama2 = json.load(open(os.path.join(folder, "llama2_tokenizer.json"), encoding="utf-8"))
spaced = ["▁" + text.decode("utf-8").replace(" ", "▁") for text in texts]
vocab = llama2["model"]["vocab"]
kept = {t: i for t, i in vocab.items() if i < 3 or re.fullmatch("<0x[0-9A-F]{2}>", t) or any(t in s for s in spaced)}
pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in llama2["model"]["merges"])
llama2["model"]["vocab"] = kept
llama2["model"]["merges"] = [pair for pair in pairs if pair[0] in kept and pair[1] in kept and "".join(pair) in kept]
with open(os.path.join(HERE, "data", "llama2_excerpt.json"), "w", encoding="utf-8") as f:
    f.write(json.dumps(llama2, ensure_ascii=False, separators=(",", ":")) + "\n")
print(len(texts), "texts")
