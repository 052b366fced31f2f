#!/usr/bin/env python3
"""Trains the small tokenizers of tests/tokenizers/data, one a shape of pipeline, on the sample text.

Run by hand, with the PyPI packages tokenizers and sentencepiece: python3 make_tokenizers.py; then make_golden.py.
"""
import base64
import json
import os
import tempfile

from sample_text import HERE, sample
from tokenizers import Tokenizer,models,trainers,pre_tokenizers,normalizers,decoders,processors,Regex,AddedToken
import sentencepiece as spm
OUT = os.path.join(HERE, "data")
docs = [sample(100000 + i, 4000) for i in range(150)]
LL=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TK = (r"[^\r\n\p{L}\p{N}]?" + UP + "*" + LOW + r"+|[^\r\n\p{L}\p{N}]?" + UP + "+" + LOW +
      r"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
def save(t,n,fix=None):
    j=json.loads(t.to_str())
    if fix: fix(j)
    s=json.dumps(j,ensure_ascii=False,separators=(',',':'))
    open(f'{OUT}/{n}.json','w').write(s+"\n"); Tokenizer.from_str(s); print(n,len(s))
N=1500
def llama3():
    t=Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LL),"isolated"),pre_tokenizers.ByteLevel(add_prefix_space=False,use_regex=False)])
    t.decoder=decoders.ByteLevel()
    t.train_from_iterator(docs,trainers.BpeTrainer(vocab_size=N,initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),show_progress=False))
    t.add_special_tokens([AddedToken(x,special=True,normalized=False) for x in("<|begin_of_text|>","<|end_of_text|>")])
    b=t.token_to_id("<|begin_of_text|>")
    t.post_processor=processors.Sequence([processors.ByteLevel(trim_offsets=False),processors.TemplateProcessing(single="<|begin_of_text|> $A",special_tokens=[("<|begin_of_text|>",b)])])
    save(t,'llama3_style')
def nemo():
    t=Tokenizer(models.BPE())
    t.pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(TK),"isolated"),pre_tokenizers.ByteLevel(add_prefix_space=False,use_regex=False)])
    t.decoder=decoders.ByteLevel()
    t.train_from_iterator(docs,trainers.BpeTrainer(vocab_size=N,special_tokens=["<unk>","<s>","</s>","[INST]"],initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),show_progress=False))
    t.post_processor=processors.TemplateProcessing(single="<s> $A",special_tokens=[("<s>",1)])
    save(t,'nemo_style')
def gpt2():
    t=Tokenizer(models.BPE())
    t.pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True); t.decoder=decoders.ByteLevel(); t.post_processor=processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(docs,trainers.BpeTrainer(vocab_size=N,special_tokens=["<|endoftext|>"],initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),show_progress=False))
    def fix(j):
        del j['model']['type']; j['model']['merges']=[" ".join(m) for m in j['model']['merges']]  # as old files are
    save(t,'gpt2_old',fix)
def llama2():
    t=Tokenizer(models.BPE(unk_token="<unk>",fuse_unk=True,byte_fallback=True))
    t.normalizer=normalizers.Sequence([normalizers.Prepend("▁"),normalizers.Replace(" ","▁")])
    t.pre_tokenizer=pre_tokenizers.Split("▁","merged_with_next")
    t.train_from_iterator(docs,trainers.BpeTrainer(vocab_size=N,limit_alphabet=400,special_tokens=["<unk>","<s>","</s>"]+["<0x%02X>"%i for i in range(256)],show_progress=False))
    j=json.loads(t.to_str()); j['pre_tokenizer']=None
    j['added_tokens']=[a for a in j['added_tokens'] if a['id']<3]
    j['added_tokens'].append({"id":9999,"content":"<pad>","single_word":False,"lstrip":True,"rstrip":True,"normalized":False,"special":True})
    j['added_tokens'].append({"id":9998,"content":"foo","single_word":True,"lstrip":False,"rstrip":False,"normalized":True,"special":False})
    t=Tokenizer.from_str(json.dumps(j))
    t.decoder=decoders.Sequence([decoders.Replace("▁"," "),decoders.ByteFallback(),decoders.Fuse(),decoders.Strip(" ",1,0)])
    t.post_processor=processors.TemplateProcessing(single="<s> $A",special_tokens=[("<s>",1)])
    save(t,'llama2_style')
def metaspace():
    t=Tokenizer(models.BPE(unk_token="<unk>",fuse_unk=False))
    t.normalizer=None
    t.pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first"),pre_tokenizers.Digits(True),pre_tokenizers.Punctuation("merged_with_previous")])
    t.train_from_iterator(docs,trainers.BpeTrainer(vocab_size=800,limit_alphabet=200,special_tokens=["<unk>","</s>"],show_progress=False))
    t.decoder=decoders.Metaspace(prepend_scheme="first")
    save(t,'metaspace')
def norm():
    t=Tokenizer(models.BPE(unk_token="<unk>",fuse_unk=True))
    t.normalizer=normalizers.Sequence([normalizers.NFKC(),normalizers.Lowercase(),normalizers.StripAccents(),normalizers.Strip(),normalizers.Replace(Regex(r"\s+")," ")])
    t.pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Whitespace(),pre_tokenizers.Split(Regex(r"\d+|\w\w"),"contiguous",invert=True)])
    t.train_from_iterator(docs,trainers.BpeTrainer(vocab_size=800,limit_alphabet=200,special_tokens=["<unk>"],show_progress=False))
    t.add_tokens(["Foo Bar","ß"])
    save(t,'normalizers')
def bert():
    t=Tokenizer(models.WordPiece(unk_token="[UNK]",max_input_chars_per_word=100))
    t.normalizer=normalizers.BertNormalizer(); t.pre_tokenizer=pre_tokenizers.BertPreTokenizer(); t.decoder=decoders.WordPiece()
    t.train_from_iterator(docs,trainers.WordPieceTrainer(vocab_size=1500,limit_alphabet=300,special_tokens=["[PAD]","[UNK]","[CLS]","[SEP]","[MASK]"],show_progress=False))
    t.post_processor=processors.TemplateProcessing(single="[CLS] $A [SEP]",special_tokens=[("[CLS]",2),("[SEP]",3)])
    save(t,'bert_style')
    v=t.get_vocab(); open(OUT+'/bert_vocab.txt','w').write("".join(k+"\n" for k,_ in sorted(v.items(),key=lambda x:x[1])))
for f in (llama3,nemo,gpt2,llama2,metaspace,norm,bert): f()
tmp = tempfile.mkdtemp()
with open(tmp + "/train.txt", "w") as f:
    f.write("\n".join(l for d in docs for l in d.split("\n") if l.strip()))
# A few rules of a character map, in place of NFKC's 200 KB.
RULES = {"\uff21": "A", "\ufb01": "fi", "\u00bd": "1/2", "\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ", "\r": " ",
         "\u200b": "", "e\u0301": "\u00e9", "\u0130": "i\u0307"}
with open(tmp + "/rules.tsv", "w") as f:
    for source, target in RULES.items():
        f.write(" ".join("%X" % ord(c) for c in source) + "\t" + " ".join("%X" % ord(c) for c in target) + "\n")
for n, kw in (("spm_bpe", dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                               remove_extra_whitespaces=False, split_digits=True)),
              ("spm_unigram", dict(model_type="unigram", normalization_rule_tsv=tmp + "/rules.tsv",
                                   user_defined_symbols=["<sep>", "foo_bar"])),
              ("spm_unigram_bytes", dict(model_type="unigram", byte_fallback=True, normalization_rule_name="identity",
                                         remove_extra_whitespaces=False)),
              ("spm_bpe_nfkc", dict(model_type="bpe", normalization_rule_tsv=tmp + "/rules.tsv", user_defined_symbols=["<sep>", "foo_bar"]))):
    spm.SentencePieceTrainer.train(input=tmp + "/train.txt", model_prefix=tmp + "/" + n, vocab_size=2600,
                                   hard_vocab_limit=False, character_coverage=0.98, minloglevel=2, **kw)
    model = open(tmp + "/" + n + ".model", "rb").read()
    open(f"{OUT}/{n}.model", "wb").write(model)
    print(n, len(model))
# tiktoken ranks of a small kind, from the llama3 style
j=json.load(open(OUT+'/llama3_style.json'))
b2u={};n=256
for b in range(256):
    if 0x21<=b<=0x7e or 0xa1<=b<=0xac or b>=0xae: b2u[b]=chr(b)
    else: b2u[b]=chr(n);n+=1
u2b={v:k for k,v in b2u.items()}
open(OUT+'/ranks.tiktoken','w').write("".join("%s %d\n"%(base64.b64encode(bytes(u2b[c] for c in k)).decode(),i) for k,i in sorted(j['model']['vocab'].items(),key=lambda x:x[1])))
