#!/usr/bin/env python3
"""Galley's sample index against megatron-core's own C++ helper, in turns on one machine.

Needs numpy and pybind11, and the source of the PyPI package:

    pip download --no-deps --no-binary :all: megatron-core==0.14.0 && tar xf megatron_core-*.tar.gz
    compare.py megatron_core-0.14.0/megatron/core/datasets/helpers.cpp build/release/bin/bench-sample-index

The helper is compiled with the flags of its own Makefile. The rows of both must be equal.
"""
import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import zlib

import numpy as np


def compile_helper(source, folder):
    import pybind11

    out = os.path.join(folder, "helpers_cpp" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run(["c++", "-O3", "-Wall", "-shared", "-std=c++17", "-fPIC", "-I" + pybind11.get_include(),
                    "-I" + sysconfig.get_paths()["include"], source, "-o", out], check=True)
    sys.path.insert(0, folder)
    import helpers_cpp

    return helpers_cpp


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("helper")
    parser.add_argument("bench")
    parser.add_argument("--documents", type=int, default=5_000_000)
    parser.add_argument("--mean", type=int, default=600, help="tokens of a document")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        helper = compile_helper(options.helper, folder)
        rng = np.random.RandomState(1)
        lengths = np.maximum(1, rng.exponential(options.mean, options.documents)).astype(np.int32)
        documents = np.tile(np.arange(options.documents, dtype=np.int32), options.epochs)
        rng.shuffle(documents)
        tokens = int(lengths.sum(dtype=np.int64))
        samples = (options.epochs * tokens - 1) // options.length
        lengths.tofile(os.path.join(folder, "lengths"))
        documents.tofile(os.path.join(folder, "documents"))
        times = {"megatron": []}
        for _ in range(options.rounds):
            start = time.perf_counter()
            rows = helper.build_sample_idx_int32(lengths, documents, options.length, options.epochs, tokens, True, 1)
            times["megatron"].append(time.perf_counter() - start)
            for threads in options.threads:
                out = subprocess.run(
                    [options.bench, os.path.join(folder, "lengths"), os.path.join(folder, "documents"),
                     str(options.length), str(samples), str(threads)], check=True, capture_output=True, text=True)
                times.setdefault("galley, %d threads" % threads, []).append(float(out.stdout.split()[0]))
                digest = out.stdout.split()[1]
        if digest != "%08x" % zlib.crc32(rows.tobytes()):
            sys.exit("the rows differ")
        print("%d documents, %d epochs, %d samples of %d" %
              (options.documents, options.epochs, samples, options.length))
        base = statistics.median(times["megatron"])
        for name, seconds in times.items():
            print("%-18s %.3f s [%.3f-%.3f]  %.2f times" %
                  (name, statistics.median(seconds), min(seconds), max(seconds), base / statistics.median(seconds)))


if __name__ == "__main__":
    main()
