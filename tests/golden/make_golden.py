#!/usr/bin/env python3
"""Writes the golden runs: 20 steps of a small gpt2 and a small llama in float64, by PyTorch's own layers,
autograd, AdamW and clipping. Shares nothing with Galley but the definitions below.

    pip install torch numpy xxhash
    ./make_golden.py            # writes gpt2.json and llama.json beside itself

Weights: parameter NAME, element i is float32(std * z), z standard normal by Box-Muller from Philox4x32-10 with
key = seed, stream = XXH3-64(NAME) and counter = i (runtime/base/rng.h); gains are ones, biases zeros.
Data: sample s is the sequence x[t] = 7 * ((37 s + 11 + t (1 + s mod 5)) mod 40) for t = 0..context; the inputs are
x[0..context-1], the labels x[1..context].
Rows of the embedding beyond the vocabulary take no part in the loss, so they are left out here.
Schedule: sizes and rates as the recipes gpt2.yaml and llama.yaml say; both count in samples consumed before
the step.
"""

import json
import math
import pathlib

import numpy
import torch
import torch.nn.functional as F
import xxhash

STEPS = 20
SEED = 7
BATCH = dict(micro=2, start=2, increment=2, over=24, full=8)
LR = dict(peak=3e-3, min=3e-4, init=2e-4, warmup=40, decay_until=124)
ADAM = dict(beta1=0.9, beta2=0.95, eps=1e-6, weight_decay=0.1, clip_norm=0.8)
SHAPE = dict(layers=4, hidden=64, heads=8, context=24, vocab=300, std=0.05)
GPT2 = dict(SHAPE, ffn=256, eps=1e-5)
LLAMA = dict(SHAPE, kv_heads=2, ffn=176, eps=1e-5, rope_base=10000.0)


def philox_normal(key, stream, count):
    """Standard normals for counters 0..count-1."""
    mask, mul0, mul1 = 0xFFFFFFFF, 0xD2511F53, 0xCD9E8D57
    index = numpy.arange(count, dtype=numpy.uint64)
    word = lambda value: numpy.full(count, value, dtype=numpy.uint64)
    c = [index & mask, index >> 32, word(stream & mask), word(stream >> 32)]
    k0, k1 = key & mask, key >> 32
    for _ in range(10):
        p0, p1 = c[0] * numpy.uint64(mul0), c[2] * numpy.uint64(mul1)
        c = [(p1 >> 32) ^ c[1] ^ numpy.uint64(k0), p1 & mask, (p0 >> 32) ^ c[3] ^ numpy.uint64(k1), p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    unit = lambda hi, lo: (((hi << 32 | lo) >> 11).astype(numpy.float64) + 0.5) * 2.0**-53
    u, v = unit(c[0], c[1]), unit(c[2], c[3])
    return numpy.sqrt(-2 * numpy.log(u)) * numpy.cos(2 * math.pi * v)


def parameter(name, shape, std):
    """std None: ones; 0: zeros; else normal."""
    if std is None:
        value = torch.ones(shape, dtype=torch.float64)
    elif std == 0:
        value = torch.zeros(shape, dtype=torch.float64)
    else:
        z = philox_normal(SEED, xxhash.xxh3_64_intdigest(name.encode()), math.prod(shape))
        value = torch.from_numpy((z * std).astype(numpy.float32).astype(numpy.float64)).reshape(shape)
    return value.requires_grad_()


def gpt2_parameters(c):
    h, f, out = c["hidden"], c["ffn"], c["std"] / math.sqrt(2 * c["layers"])
    table = {"wte": ((c["vocab"], h), c["std"]), "wpe": ((c["context"], h), c["std"])}
    for l in range(c["layers"]):
        at = f"layers.{l}."
        table |= {at + "ln1.gain": ((h,), None), at + "ln1.bias": ((h,), 0),
                  at + "attn.qkv.weight": ((3 * h, h), c["std"]), at + "attn.qkv.bias": ((3 * h,), 0),
                  at + "attn.out.weight": ((h, h), out), at + "attn.out.bias": ((h,), 0),
                  at + "ln2.gain": ((h,), None), at + "ln2.bias": ((h,), 0),
                  at + "mlp.up.weight": ((f, h), c["std"]), at + "mlp.up.bias": ((f,), 0),
                  at + "mlp.down.weight": ((h, f), out), at + "mlp.down.bias": ((h,), 0)}
    table |= {"ln_f.gain": ((h,), None), "ln_f.bias": ((h,), 0)}
    return {name: parameter(name, *entry) for name, entry in table.items()}


def gpt2_logits(c, p, tokens):
    (b, t), h = tokens.shape, c["hidden"]
    x = p["wte"][tokens] + p["wpe"][:t]
    for l in range(c["layers"]):
        w = lambda name: p[f"layers.{l}.{name}"]
        n = F.layer_norm(x, (h,), w("ln1.gain"), w("ln1.bias"), c["eps"])
        q, k, v = F.linear(n, w("attn.qkv.weight"), w("attn.qkv.bias")).split(h, dim=-1)
        heads = lambda y: y.view(b, t, c["heads"], -1).transpose(1, 2)
        y = F.scaled_dot_product_attention(heads(q), heads(k), heads(v), is_causal=True)
        y = y.transpose(1, 2).reshape(b, t, h)
        x = x + F.linear(y, w("attn.out.weight"), w("attn.out.bias"))
        n = F.layer_norm(x, (h,), w("ln2.gain"), w("ln2.bias"), c["eps"])
        y = F.gelu(F.linear(n, w("mlp.up.weight"), w("mlp.up.bias")), approximate="tanh")
        x = x + F.linear(y, w("mlp.down.weight"), w("mlp.down.bias"))
    return F.layer_norm(x, (h,), p["ln_f.gain"], p["ln_f.bias"], c["eps"]) @ p["wte"].T


def llama_parameters(c):
    h, f, out = c["hidden"], c["ffn"], c["std"] / math.sqrt(2 * c["layers"])
    kv = h // c["heads"] * c["kv_heads"]
    table = {"embedding": ((c["vocab"], h), c["std"])}
    for l in range(c["layers"]):
        at = f"layers.{l}."
        table |= {at + "norm1.gain": ((h,), None),
                  at + "attn.qkv.weight": ((h + 2 * kv, h), c["std"]),
                  at + "attn.out.weight": ((h, h), out),
                  at + "norm2.gain": ((h,), None),
                  at + "mlp.gate_up.weight": ((2 * f, h), c["std"]),
                  at + "mlp.down.weight": ((h, f), out)}
    table |= {"norm_f.gain": ((h,), None), "head.weight": ((c["vocab"], h), c["std"])}
    return {name: parameter(name, *entry) for name, entry in table.items()}


def rope(x, base):
    """x: (b, heads, t, d); pairs (i, i + d / 2)."""
    t, d = x.shape[-2:]
    angle = torch.outer(torch.arange(t, dtype=x.dtype), base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d))
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., : d // 2], x[..., d // 2 :]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def llama_logits(c, p, tokens):
    (b, t), h = tokens.shape, c["hidden"]
    kv = h // c["heads"] * c["kv_heads"]
    x = p["embedding"][tokens]
    for l in range(c["layers"]):
        w = lambda name: p[f"layers.{l}.{name}"]
        n = F.rms_norm(x, (h,), w("norm1.gain"), c["eps"])
        q, k, v = F.linear(n, w("attn.qkv.weight")).split([h, kv, kv], dim=-1)
        heads = lambda y, count: y.view(b, t, count, -1).transpose(1, 2)
        q = rope(heads(q, c["heads"]), c["rope_base"])
        k = rope(heads(k, c["kv_heads"]), c["rope_base"])
        share = c["heads"] // c["kv_heads"]
        k, v = (y.repeat_interleave(share, dim=1) for y in (k, heads(v, c["kv_heads"])))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, h)
        x = x + F.linear(y, w("attn.out.weight"))
        n = F.rms_norm(x, (h,), w("norm2.gain"), c["eps"])
        gate, up = F.linear(n, w("mlp.gate_up.weight")).chunk(2, dim=-1)
        x = x + F.linear(F.silu(gate) * up, w("mlp.down.weight"))
    return F.rms_norm(x, (h,), p["norm_f.gain"], c["eps"]) @ p["head.weight"].T


def samples(c, first, count):
    s = torch.arange(first, first + count).unsqueeze(1)
    x = 7 * ((37 * s + 11 + torch.arange(c["context"] + 1) * (1 + s % 5)) % 40)
    return x[:, :-1], x[:, 1:]


def batch_size(consumed):
    b = BATCH
    if consumed > b["over"]:
        return b["full"]
    per = b["over"] / ((b["full"] - b["start"]) / b["increment"])
    return b["start"] + int(consumed / per) * b["increment"]


def learning_rate(n):
    if n <= LR["warmup"]:
        return LR["init"] + (LR["peak"] - LR["init"]) * n / LR["warmup"]
    r = min(1.0, (n - LR["warmup"]) / (LR["decay_until"] - LR["warmup"]))
    return LR["min"] + (math.cos(math.pi * r) + 1) / 2 * (LR["peak"] - LR["min"])


def run(c, parameters, logits):
    decayed = [p for p in parameters.values() if p.dim() >= 2]
    others = [p for p in parameters.values() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=ADAM["weight_decay"]), dict(params=others, weight_decay=0.0)],
        lr=0.0, betas=(ADAM["beta1"], ADAM["beta2"]), eps=ADAM["eps"])
    consumed, steps = 0, []
    for _ in range(STEPS):
        batch, rate = batch_size(consumed), learning_rate(consumed)
        optimizer.zero_grad()
        total = 0.0
        for m in range(0, batch, BATCH["micro"]):
            tokens, labels = samples(c, consumed + m, BATCH["micro"])
            y = logits(c, parameters, tokens)
            loss = F.cross_entropy(y.flatten(0, 1), labels.flatten(), reduction="sum")
            loss = loss / (batch * c["context"])
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), ADAM["clip_norm"]).item()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        steps.append(dict(global_batch=batch, lr=rate, loss=total, grad_norm=norm))
        consumed += batch
    return steps


def main():
    here = pathlib.Path(__file__).parent
    for name, c, make, logits in (("gpt2", GPT2, gpt2_parameters, gpt2_logits),
                                  ("llama", LLAMA, llama_parameters, llama_logits)):
        lines = [json.dumps(step) for step in run(c, make(c), logits)]
        (here / f"{name}.json").write_text('{"steps": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
