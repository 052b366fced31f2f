#!/usr/bin/env python3
"""Random data sets, splits and blends, and the order Megatron-Core gives them: what `order: megatron` must equal.

An independent account of the rules in docs/formats/data-order.md with numpy's own generator; it shares nothing
with the C++. Prints one case a line, "kind key=value ... = results", which megatron_order_test reads:

    reference.py --seed 1 --cases 64 > golden.txt     # the committed cases
    reference.py --seed 7 --cases 4000                # as the test runs it where numpy is at hand

Arrays stand as COUNT:CRC, the CRC-32 of their values as little-endian int64.
"""
import argparse
import math
import random
import zlib

import numpy as np


def crc(values):
    array = np.asarray(values, dtype="<i8").reshape(-1)
    return "%d:%08x" % (array.size, zlib.crc32(array.tobytes()))


def lengths_of(spec):
    """COUNT,SEED,MODULUS: the high bits of a linear congruential generator, modulo MODULUS."""
    count, state, modulus = spec
    out = []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 33) % modulus)
    return out


# --- one source -------------------------------------------------------------------------------------------------


def indices(lengths, documents, wanted, length, seed):
    """Document, sample and shuffle index; `wanted` is a number of samples or None."""
    tokens = sum(lengths[d] for d in documents)
    epochs = 1
    if wanted is not None:
        while epochs * tokens < wanted * length + 1:
            epochs += 1
    separate = False
    if epochs > 1:
        before = ((epochs - 1) * tokens - 1) // length
        last = wanted - before
        each = (tokens - 1) // length
        assert 0 <= last <= each + 1
        separate = last < int(0.80 * each)
    rng = np.random.RandomState(seed)

    def shuffled(times):
        array = np.array(list(documents) * times, dtype=np.int32)
        rng.shuffle(array)
        return array

    if separate:
        document_index = np.concatenate([shuffled(epochs - 1), shuffled(1)])
    else:
        document_index = shuffled(epochs)

    count = (epochs * tokens - 1) // length
    rows = [(0, 0)]
    at, offset = 0, 0
    for _ in range(count):
        need = length + 1
        while True:
            have = lengths[document_index[at]] - offset
            if need <= have:
                offset += need - 1
                break
            need -= have
            at += 1
            offset = 0
        rows.append((at, offset))

    first = before if separate else count
    shuffle = []
    for begin, end in ((0, first), (first, count)):
        part = np.arange(begin, end, dtype=np.uint32)
        rng.shuffle(part)
        shuffle.extend(part.tolist())
    return epochs, separate, document_index, rows, shuffle


def sample_parts(lengths, length, document_index, rows, k):
    """(sequence, first token, tokens) of sample k, before the shuffle."""
    (d0, o0), (d1, o1) = rows[k], rows[k + 1]
    parts = []
    for at in range(d0, d1 + 1):
        sequence = int(document_index[at])
        begin = o0 if at == d0 else 0
        end = o1 + 1 if at == d1 else lengths[sequence]
        if end > begin:
            parts.append((sequence, begin, end - begin))
    assert sum(p[2] for p in parts) == length + 1
    return parts


# --- splits and blends ------------------------------------------------------------------------------------------


def split_ranges(shares, n):
    shares = [float(s) for s in shares] + [0.0] * (3 - len(shares))
    weights = np.array(shares)
    weights = (weights / np.sum(weights)).tolist()
    ends = [0.0]
    for weight in weights:
        ends.append(ends[-1] + weight)
    return [(int(round(b * float(n))), int(round(e * float(n)))) for b, e in zip(ends, ends[1:])]


def normalized(weights):
    array = np.array(weights, dtype=np.float64)
    return (array / np.sum(array)).tolist()


def counts(weights, size, rules):
    shares = normalized(weights)
    if rules == "0.10":
        asked = [int(math.ceil(size * w * 1.005)) for w in shares]
        return asked, sum(asked)
    target = [int(math.ceil(size * w)) for w in shares]
    return [int(math.ceil(t * (1 + 0.005))) for t in target], sum(target)


def blend(weights, size):
    shares = np.array(normalized(normalized(weights)), dtype=np.float64)
    drawn = np.zeros(len(weights), dtype=np.float64)
    sources, places = [], []
    for n in range(size):
        behind = shares * max(float(n), 1.0) - drawn
        source = int(np.argmax(behind))  # the first of equals
        sources.append(source)
        places.append(int(drawn[source]))
        drawn[source] += 1
    return sources, places, drawn


# --- cases ------------------------------------------------------------------------------------------------------


def some_lengths(rng):
    return (rng.choice([1, 2, 3, 5, 13, 40, 120, 400]), rng.randrange(2**32), rng.choice([2, 3, 9, 30, 200]))


def some_seed(rng):
    return rng.choice([0, 1, 1234, 2**32 - 1, rng.randrange(2**32)])


def some_weights(rng, n):
    kind = rng.randrange(4)
    if kind == 0:
        return [1.0] * n
    if kind == 1:
        return [rng.choice([0.1, 0.2, 0.3, 0.5, 1.0]) for _ in range(n)]
    if kind == 2:
        return [rng.expovariate(1.0) + 1e-9 for _ in range(n)]
    return [float(rng.randrange(1, 10**rng.randrange(1, 9))) for _ in range(n)]


def show(value):
    if isinstance(value, (list, tuple)):
        return ",".join(show(v) for v in value)
    return repr(value) if isinstance(value, float) else str(value)


def line(kind, keys, results):
    print(kind, *("%s=%s" % (k, show(v)) for k, v in keys.items()), "=", *(show(r) for r in results))


def index_case(rng):
    spec = some_lengths(rng)
    lengths = lengths_of(spec)
    begin = rng.randrange(len(lengths))
    end = rng.randrange(begin, len(lengths)) + 1
    length = rng.choice([1, 2, 3, 4, 7, 16, 50])
    seed = some_seed(rng)
    tokens = sum(lengths[begin:end])
    if tokens == 0:
        return index_case(rng)
    an_epoch = max(1, (tokens - 1) // length)
    if rng.random() < 0.1:
        wanted = None
    elif rng.random() < 0.4:  # about the 80 % of a later epoch
        wanted = int(an_epoch * (rng.randrange(1, 6) + 0.8)) + rng.randrange(-2, 3)
    else:
        wanted = int(rng.random() * 6 * an_epoch)
    wanted = None if wanted is None else max(0, min(wanted, 3000))
    epochs, separate, documents, rows, shuffle = indices(lengths, range(begin, end), wanted, length, seed)
    keys = {"lengths": spec, "begin": begin, "end": end, "length": length, "seed": seed,
            "samples": -1 if wanted is None else wanted}
    line("index", keys, [epochs, int(separate), crc(documents), crc(rows), crc(shuffle)])


def split_case(rng):
    n = rng.choice([0, 1, 2, 3, 5, 7, 13, rng.randrange(1000), rng.randrange(10**9)])
    shares = rng.choice([[969.0, 30.0, 1.0], [949.0, 50.0, 1.0], [1.0, 1.0], [0.5, 0.25, 0.25], [98.0, 2.0, 0.0],
                         [rng.random() for _ in range(rng.randrange(1, 4))],
                         [float(rng.randrange(1, 100)) for _ in range(3)]])
    # Halves: n an odd multiple of what the shares' ends divide.
    if rng.random() < 0.3:
        shares, n = [1.0, 2.0, 1.0], 2 * rng.randrange(500) + 1
    line("split", {"shares": shares, "n": n}, [end for part in split_ranges(shares, n) for end in part])


def blend_case(rng):
    n = rng.choice([1, 2, 3, 7, 8, 9, 17, 50, rng.randrange(1, 51), 140])
    weights = some_weights(rng, n)
    size = rng.choice([0, 1, 12, rng.randrange(3000)])
    rules = rng.choice(["0.10", "0.14"])
    asked, total = counts(weights, size, rules)
    sources, places, _ = blend(weights, total)
    line("blend", {"weights": weights, "samples": size, "rules": rules},
         [crc(asked), total, crc(sources), crc(places)])


def order_case(rng):
    """A whole data plan: files, split, blend and indices, to the parts of every sample."""
    n = rng.choice([1, 1, 2, 3, rng.randrange(2, 51)])
    length = rng.choice([1, 3, 8, 20])
    shares = rng.choice([[969.0, 30.0, 1.0], [0.5, 0.25, 0.25], [1.0], [9.0, 1.0]])
    specs = [(rng.randrange(4, 60), rng.randrange(2**32), rng.choice([3, 12, 50])) for _ in range(n)]
    weights = some_weights(rng, n)
    wanted = rng.randrange(1, 400)
    rules = rng.choice(["0.10", "0.14"])
    seed = some_seed(rng)
    one = n == 1 and rng.random() < 0.5  # without a blend
    valid = len(shares) > 1 and rng.random() < 0.3
    asked, total = ([wanted], wanted) if one else counts(weights, wanted, rules)
    built = []
    for spec, count in zip(specs, asked):
        lengths = lengths_of(spec)
        begin, end = split_ranges(shares, len(lengths))[1 if valid else 0]
        if sum(lengths[begin:end]) == 0:
            return order_case(rng)
        built.append((lengths,) + indices(lengths, range(begin, end), count, length, seed))
    if one:
        total = len(built[0][5])
        sources, places, drawn = [0] * total, range(total), [total]
    else:
        sources, places, drawn = blend(weights, total)
    keys = {"sources": n, "lengths": [v for spec in specs for v in spec], "weights": weights, "shares": shares,
            "length": length, "seed": seed, "samples": wanted, "rules": rules, "blend": int(not one),
            "valid": int(valid)}
    if any(d > len(b[5]) for d, b in zip(drawn, built)):
        return line("order", keys, ["too-few"])
    words = []
    for source, place in zip(sources, places):
        lengths, _, _, document_index, rows, shuffle = built[source]
        words.append(source)
        for part in sample_parts(lengths, length, document_index, rows, shuffle[place]):
            words.extend(part)
    line("order", keys, [total, crc(words)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=64)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    kinds = [index_case, blend_case, index_case, split_case, index_case, blend_case, index_case, order_case]
    for case in range(options.cases):
        kinds[case % len(kinds)](rng)


if __name__ == "__main__":
    main()
