"""Mixed text by a rule that tests/tokenizers/sample_text.cc follows as well: the same seed, the same bytes."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
SNIPPETS = json.load(open(os.path.join(HERE, "data", "snippets.json"), encoding="utf-8"))
# Ranges whose characters all stood in Unicode 8.
RANGES = [(0x01, 0x1F), (0x21, 0x7E), (0x7F, 0x9F), (0xA0, 0x17F), (0x300, 0x36F), (0x391, 0x3A1), (0x400, 0x45F),
          (0x5D0, 0x5EA), (0x621, 0x64A), (0x905, 0x939), (0xE01, 0xE30), (0x2010, 0x2027), (0x3041, 0x3093),
          (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xFF01, 0xFF5E), (0x1D400, 0x1D454), (0x1F600, 0x1F640)]


def sample(seed, size):
    """At least `size` bytes of valid UTF-8 without NUL."""
    state = seed * 2654435761 + 1

    def draw(n):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (state >> 33) % n

    out, length = [], 0
    while length < size:
        kind = draw(16)
        if kind < 12:
            piece = SNIPPETS[draw(len(SNIPPETS))]
            if kind < 8:
                piece += " "
        elif kind < 15:
            first, last = RANGES[draw(len(RANGES))]
            piece = "".join(chr(first + draw(last - first + 1)) for _ in range(1 + draw(6)))
        else:
            first, last = RANGES[draw(len(RANGES))]
            piece = chr(first + draw(last - first + 1)) * (1 + draw(90))
        out.append(piece)
        length += len(piece.encode("utf-8"))
    return "".join(out)


def damaged(seed, size):
    """The sample with one byte in 64 overwritten: by one of 0x80 to 0xff, or, seldom, by a control character or NUL."""
    data = bytearray(sample(seed, size).encode("utf-8"))
    state = seed + 1

    def draw(n):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (state >> 33) % n

    for _ in range(len(data) // 64):
        at = draw(len(data))
        value = draw(144)
        data[at] = 0x80 + value if value < 0x80 else value - 0x80
    return bytes(data)


def of_file(data, chunk, size):
    """A chunk of a text file's bytes, cut before a character; empty past the end."""
    def cut(at):
        while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
            at += 1
        return min(at, len(data))

    return data[cut(chunk * size):cut((chunk + 1) * size)].decode("utf-8")
