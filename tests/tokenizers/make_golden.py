#!/usr/bin/env python3
"""Writes golden.json: checksums of the ids that the PyPI packages tokenizers, tiktoken and sentencepiece give for the
sample text, a chunk at a time, for the small tokenizers of data/ and for published vocabularies.

Run by hand: python3 make_golden.py [VOCABULARIES]. VOCABULARIES is a folder with the files named below, which do not
come with Galley; those that are missing keep their entries. PyPI's litellm holds OpenAI's rank files and two
tokenizer.json, llama-models Llama 3's and 4's ranks, mistral-common Tekken and the .model files of Mistral, the sdist
of llama-cpp-python Llama 2's pieces and scores (ggml-vocab-llama-spm.gguf; a merge is a piece's two halves that are pieces).

A text of one's own is compared in the same way, without touching golden.json:
    TEXT=book.txt GOLDEN=/tmp/book.json python3 make_golden.py VOCABULARIES
    GALLEY_TOKENIZER_GOLDEN=/tmp/book.json GALLEY_VOCABULARIES=... GALLEY_TOKENIZER_CHUNKS=10000 tokenizers_test
"""
import base64
import codecs
import functools
import json
import os
import struct
import sys
import zlib

import sentencepiece
import tiktoken.load
import tokenizers

import patterns
import sample_text
from sample_text import HERE

CHUNK = 64 << 10  # bytes
CHUNKS, DAMAGED = int(os.environ.get("CHUNKS", 160)), 16
OWN_TEXT = os.environ.get("TEXT", "")
if OWN_TEXT:
    own = open(OWN_TEXT, "rb").read()
    CHUNKS, DAMAGED = -(-len(own) // CHUNK), 0
sample = functools.lru_cache(maxsize=None)(sample_text.sample)
# Kinds that know characters take each byte that is no UTF-8 as U+FFFD.
codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))
OWN = r"\p{L}+|\s?[^\p{L}\s]{1,4}"  # leaves some spaces out, as tiktoken then does


def hugging_face(path, special):
    t = tokenizers.Tokenizer.from_file(path)
    t.encode_special_tokens = not special
    return lambda text: t.encode(text, add_special_tokens=False).ids


def ranks(path, pattern, special):
    table = tiktoken.load.load_tiktoken_bpe(path)
    t = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=table, special_tokens={})
    return t.encode_ordinary


def tekken(path, pattern, special):
    j = json.load(open(path))
    n = j["config"]["default_num_special_tokens"]
    size = j["config"]["default_vocab_size"] - n
    table = {base64.b64decode(v["token_bytes"]): v["rank"] for v in j["vocab"][:size]}
    t = tiktoken.Encoding("x", pat_str=j["config"]["pattern"], mergeable_ranks=table, special_tokens={})
    return lambda text: [n + i for i in t.encode_ordinary(text)]


def gpt2(path, pattern, special):
    m = tokenizers.models.BPE.from_file(path + "/vocab.json", path + "/merges.txt")
    t = tokenizers.Tokenizer(m)
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda text: t.encode(text, add_special_tokens=False).ids


def bert(path, pattern, special):
    t = tokenizers.BertWordPieceTokenizer(path)
    t._tokenizer.encode_special_tokens = not special
    return lambda text: t.encode(text, add_special_tokens=False).ids


def piece(path, pattern, special):
    t = sentencepiece.SentencePieceProcessor(model_file=path)
    return t.encode


# kind, file, pattern, special tokens in text, what makes the ids
CASES = [("huggingface", n + ".json", "", s, None) for s in (False, True) for n in
         ("llama3_style", "nemo_style", "gpt2_old", "llama2_style", "metaspace", "normalizers", "bert_style")]
CASES += [("tiktoken", "ranks.tiktoken", p, False, ranks) for p in ("gpt2", "cl100k", "llama3", "o200k", OWN)]
CASES += [("sentencepiece", n + ".model", "", False, piece) for n in ("spm_bpe", "spm_bpe_nfkc", "spm_unigram",
                                                                      "spm_unigram_bytes")]
CASES += [("wordpiece", "bert_vocab.txt", "", s, bert) for s in (False, True)]
PUBLISHED = [("gpt2", "gpt2", "", False, gpt2), ("tiktoken", "p50k_base.tiktoken", "gpt2", False, ranks),
             ("tiktoken", "cl100k_base.tiktoken", "cl100k", False, ranks),
             ("tiktoken", "o200k_base.tiktoken", "o200k", False, ranks),
             ("tiktoken", "llama3.model", "llama3", False, ranks), ("tekken", "tekken_240718.json", "", False, tekken),
             ("sentencepiece", "llama2.model", "", False, piece),
             ("sentencepiece", "mistral_v1.model", "", False, piece),
             ("sentencepiece", "mistral_v3.model", "", False, piece),
             ("huggingface", "anthropic_tokenizer.json", "", False, None),
             ("huggingface", "deepseek_tokenizer.json", "", True, None),
             ("huggingface", "llama2_tokenizer.json", "", False, None),
             ("huggingface", "llama3_tokenizer.json", "", True, None)]
PATTERNS = {**patterns.PATTERNS, OWN: OWN, "": ""}

golden_path = os.environ.get("GOLDEN") or os.path.join(HERE, "data", "golden.json")
BYTE_LEVEL = ("tiktoken", "tekken", "gpt2")


def checksum(ids):
    return "%08x" % zlib.crc32(struct.pack("<%di" % len(ids), *ids))


def text_of(chunk):
    return sample_text.of_file(own, chunk, CHUNK) if OWN_TEXT else sample(chunk, CHUNK)


old = {}
if os.path.exists(golden_path):
    old = {json.dumps([c["kind"], c["file"], c["pattern"], c["special"]]): c
           for c in json.load(open(golden_path))["cases"]}
cases = []
for published, listed in ((False, CASES), (True, PUBLISHED)):
    folder = sys.argv[1] if published and len(sys.argv) > 1 else os.path.join(HERE, "data")
    for kind, name, pattern, special, make in listed:
        key = json.dumps([kind, name, pattern, special])
        path = os.path.join(folder, name)
        if published and (len(sys.argv) < 2 or not os.path.exists(path)):
            if key in old:
                cases.append(old[key])
            continue
        encode = make(path, PATTERNS[pattern], special) if make else hugging_face(path, special)
        case = {"kind": kind, "file": name, "pattern": pattern, "special": special, "published": published,
                "sums": " ".join(checksum(encode(text_of(chunk))) for chunk in range(CHUNKS))}
        keeps_bytes = kind in BYTE_LEVEL or name in ("llama3_style.json", "nemo_style.json", "gpt2_old.json")
        if not published and not keeps_bytes:
            case["damaged"] = " ".join(
                checksum(encode(sample_text.damaged(chunk, CHUNK).decode("utf-8", "each"))) for chunk in range(DAMAGED))
        cases.append(case)
        print(kind, name, pattern[:12], special, flush=True)
versions = {"tokenizers": tokenizers.__version__, "tiktoken": tiktoken.__version__,
            "sentencepiece": sentencepiece.__version__}
golden = {"chunk_bytes": CHUNK, "first_text": "%08x" % zlib.crc32(text_of(0).encode("utf-8")), "made_with": versions,
          "cases": cases}
if OWN_TEXT:
    golden["text"] = os.path.abspath(OWN_TEXT)
with open(golden_path, "w") as f:
    json.dump(golden, f, indent=1)
    f.write("\n")
