"""The work in PySpark's RDDs: the same Python functions as a podreduce job's.

usage: spark_rdd.py wordcount|log SOURCE TARGET
"""

import sys

from pyspark.sql import SparkSession

work, source, target = sys.argv[1:]
PARTITIONS = 8


def add(left: int, right: int) -> int:
    return left + right


def cut_log_line(line: str) -> tuple[str, str]:
    fields = line.split(",")
    return fields[0], fields[1]


def count_urls(visits):
    timestamp, urls = visits
    counts = {}
    for url in urls:
        counts[url] = counts.get(url, 0) + 1
    return [f"{timestamp}\t{url}\t{count}" for url, count in counts.items()]


session = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "6g")
    .config("spark.ui.enabled", "false")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
lines = session.sparkContext.textFile(source)
if work == "wordcount":
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(add, PARTITIONS)
    counts.map(lambda pair: f"{pair[0]}\t{pair[1]}").saveAsTextFile(target)
else:
    lines.map(cut_log_line).groupByKey(PARTITIONS).flatMap(count_urls).saveAsTextFile(target)
session.stop()
