"""The word count as an mrjob class, for its local runner."""

from mrjob.job import MRJob
from mrjob.protocol import RawProtocol


class WordCount(MRJob):
    OUTPUT_PROTOCOL = RawProtocol

    def mapper(self, _, line):
        for word in line.split():
            yield word, 1

    def combiner(self, word, counts):
        yield word, sum(counts)

    def reducer(self, word, counts):
        yield word, str(sum(counts))


if __name__ == "__main__":
    WordCount.run()
