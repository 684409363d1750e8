"""The log analysis as an mrjob class, for its local runner."""

from mrjob.job import MRJob
from mrjob.protocol import RawProtocol


class LogAnalysis(MRJob):
    OUTPUT_PROTOCOL = RawProtocol

    def mapper(self, _, line):
        fields = line.split(",")
        yield fields[0], fields[1]

    def reducer(self, timestamp, urls):
        counts = {}
        for url in urls:
            counts[url] = counts.get(url, 0) + 1
        for url, count in counts.items():
            yield timestamp, f"{url}\t{count}"


if __name__ == "__main__":
    LogAnalysis.run()
