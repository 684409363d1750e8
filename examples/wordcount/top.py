"""Print the ten most frequent words of a word count's output directory: python top.py DIRECTORY"""

import sys
from pathlib import Path

counts = []
for part in sorted(Path(sys.argv[1]).glob("part-*.txt")):
    with part.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            word, _, count = line.rstrip("\n").partition("\t")
            counts.append((int(count), word))

for count, word in sorted(counts, key=lambda pair: (-pair[0], pair[1]))[:10]:
    print(f"{count:8,}  {word}")
