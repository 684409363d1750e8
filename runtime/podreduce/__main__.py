"""`python -P -m podreduce`: what every pod and every local task process runs."""

from podreduce.process.entry import start

if __name__ == "__main__":
    start()
