"""Ten rounds of PageRank in PySpark's RDDs, as its own example has it, but pages without links to them keep a rank.

usage: spark_pagerank.py SOURCE TARGET ROUNDS
"""

import sys

from pyspark.sql import SparkSession

source, target, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
PARTITIONS = 8


def read_links(line: str) -> tuple[str, list[str]]:
    page, links = line.split("\t")
    return page, links.split(" ")


def spread(entry):
    links, rank = entry[1]
    share = (1.0 if rank is None else rank) / len(links)
    return [(link, share) for link in links]


session = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "6g")
    .config("spark.ui.enabled", "false")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
links = session.sparkContext.textFile(source).map(read_links).partitionBy(PARTITIONS).cache()
no_share = links.mapValues(lambda _: 0.0)
ranks = links.mapValues(lambda _: 1.0)
for _ in range(rounds):
    shares = links.leftOuterJoin(ranks, PARTITIONS).flatMap(spread)
    sums = shares.union(no_share).reduceByKey(lambda left, right: left + right, PARTITIONS)
    ranks = sums.mapValues(lambda total: 0.15 + 0.85 * total)
ranks.map(lambda pair: f"{pair[0]}\t{pair[1]!r}").saveAsTextFile(target)
session.stop()
